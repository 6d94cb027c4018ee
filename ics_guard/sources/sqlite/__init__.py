"""SQLite databases, on the current SQLite that APSW brings along.

One rule stands over this room: raw bytes of a main file, -wal or -shm are read (`rawfile`) only while this process
holds no SQLite connection to that database. Closing any descriptor of a file drops the process's POSIX locks on it,
and another process may then delete a live WAL (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""
