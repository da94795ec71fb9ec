"""The module apache, which applications find wherever mod_wsgi runs them."""

version: tuple[int, int, int]
maximum_processes: int
threads_per_process: int
description: str
mpm_name: str
build_date: str
