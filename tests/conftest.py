"""What a machine may lack: a test that is skipped for want of it fails where all components are required."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

REQUIRED = "TREEMEND_REQUIRE_COMPONENTS" in os.environ


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    optional = "toolchain" in item.keywords
    if REQUIRED and report.skipped and not optional and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything is required: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def needs() -> Callable[..., None]:
    """Skips where one of these programs is missing."""

    def check(*programs: str) -> None:
        for program in programs:
            found = shutil.which(program)
            # A proxy that finds no toolchain in this home is none either.
            if found is None or subprocess.run([found, "--version"], capture_output=True).returncode:
                pytest.skip(f"{program} is not installed")

    return check


JUNIT, SUREFIRE, COMPILER, RESOURCES = "5.10.2", "3.2.5", "3.13.0", "3.3.1"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>calc</groupId><artifactId>calc</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies><dependency>
    <groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId>
    <version>{JUNIT}</version><scope>test</scope>
  </dependency></dependencies>
  <build><plugins>
    <plugin><artifactId>maven-surefire-plugin</artifactId><version>{SUREFIRE}</version></plugin>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>{COMPILER}</version></plugin>
    <plugin><artifactId>maven-resources-plugin</artifactId><version>{RESOURCES}</version></plugin>
  </plugins></build>
</project>
"""
MAVEN_GROUPS = (
    *("com/thoughtworks/", "commons-codec/", "commons-io/", "javax/", "org/apache/commons/"),
    *("org/apache/maven/", "org/apiguardian/", "org/codehaus/", "org/eclipse/aether/", "org/eclipse/sisu/"),
    *("org/junit/", "org/opentest4j/", "org/ow2/", "org/slf4j/", "org/sonatype/"),
)


@dataclass(frozen=True)
class Maven:
    """A project file with JUnit 5, and a repository that has what it needs."""

    pom: str
    repository: Path


@pytest.fixture(scope="session")
def maven(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Maven:
    """With a part of this user's Maven repository, copied to where any user may read it."""
    needs("mvn", "javac")
    mine = Path.home() / ".m2" / "repository"
    if not any((mine / f"org/apache/maven/surefire/surefire-junit-platform/{SUREFIRE}").glob("*.jar")):
        pytest.skip("the Maven repository of this user lacks Surefire")
    repository = tmp_path_factory.mktemp("maven") / "repository"
    for file in mine.rglob("*"):
        path = file.relative_to(mine).as_posix()
        if file.is_file() and (file.suffix == ".pom" or path.startswith(MAVEN_GROUPS)):
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, repository / path)
    return Maven(POM, repository)
