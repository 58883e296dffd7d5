BEGIN TRANSACTION;
CREATE TABLE blobs (
	run VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	data BLOB NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	PRIMARY KEY (run, name), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "blobs" VALUES('first','report',X'7B7D','44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
CREATE TABLE candidates (
	run VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	thought INTEGER NOT NULL, 
	edits VARCHAR NOT NULL, 
	patch BLOB NOT NULL, 
	patch_sha256 VARCHAR NOT NULL, 
	prior FLOAT NOT NULL, 
	duplicate_of INTEGER, 
	PRIMARY KEY (run, seq), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "candidates" VALUES('first',1,1,'[]',X'2D2D2D20610A','ce37ca72790a51ea83c172b0ad80082d7507efea0a1c818536a2a89f8fd96e96',0.5,NULL);
CREATE TABLE executions (
	number INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	candidate INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	test VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	duration_s FLOAT NOT NULL, 
	message VARCHAR NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (run, candidate, attempt, test), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE ranking (
	run VARCHAR NOT NULL, 
	candidate INTEGER NOT NULL, 
	rank INTEGER NOT NULL, 
	"group" INTEGER NOT NULL, 
	group_size INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	prior FLOAT NOT NULL, 
	medoid_distance FLOAT NOT NULL, 
	confirmed BOOLEAN, 
	PRIMARY KEY (run, candidate), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE rollouts (
	run VARCHAR NOT NULL, 
	iteration INTEGER NOT NULL, 
	thought INTEGER NOT NULL, 
	candidate INTEGER NOT NULL, 
	reward FLOAT NOT NULL, 
	PRIMARY KEY (run, iteration), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	task VARCHAR NOT NULL, 
	created_at VARCHAR NOT NULL, 
	graph_version INTEGER NOT NULL, 
	treemend_version VARCHAR NOT NULL, 
	outcome VARCHAR, 
	reason VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('first',1,'{"repo": "/somewhere", "symptom": {"issue": "shipping", "failing_tests": ["tests/test_cart.py::test_total"], "frames": [], "trace": ""}, "only": [], "test_command": "", "junit_reports": [], "python": "", "commit": "", "sandbox": "auto", "test_timeout_s": null, "strategy": "mcts", "seed": 0, "budget": {"time_s": null, "candidates": 7, "after": 100}, "command": ["treemend", "fix"]}','2026-01-02T03:04:05.000000+00:00',1,'0.1.0',NULL,'');
CREATE TABLE schema (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	treemend VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "schema" VALUES(1,1,'0.1.0');
CREATE TABLE spend (
	run VARCHAR NOT NULL, 
	step VARCHAR NOT NULL, 
	purpose VARCHAR NOT NULL, 
	wall_s FLOAT NOT NULL, 
	tests_run INTEGER NOT NULL, 
	prompt_tokens INTEGER NOT NULL, 
	completion_tokens INTEGER NOT NULL, 
	usd FLOAT NOT NULL, 
	PRIMARY KEY (run, step), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE test_cases (
	run VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	origin VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	PRIMARY KEY (run, id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE thoughts (
	run VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	parent INTEGER NOT NULL, 
	depth INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	prior FLOAT NOT NULL, 
	"key" VARCHAR NOT NULL, 
	place VARCHAR, 
	has_edit BOOLEAN NOT NULL, 
	PRIMARY KEY (run, seq), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "thoughts" VALUES('first',1,0,1,'< may be <=',0.5,'comparison',NULL,1);
CREATE TABLE verdicts (
	run VARCHAR NOT NULL, 
	candidate INTEGER NOT NULL, 
	targets_passed INTEGER NOT NULL, 
	targets INTEGER NOT NULL, 
	regressions VARCHAR NOT NULL, 
	not_run INTEGER NOT NULL, 
	plausible BOOLEAN NOT NULL, 
	reward FLOAT NOT NULL, 
	PRIMARY KEY (run, candidate), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "verdicts" VALUES('first',1,1,1,'[]',0,1,1.0);
CREATE UNIQUE INDEX ix_runs_number ON runs (number);
CREATE INDEX ix_executions_run ON executions (run);
COMMIT;
