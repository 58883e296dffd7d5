"""Whether a patch holds: the verdict of record, and the reasons to doubt one."""
