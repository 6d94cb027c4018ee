"""placeholder"""


def refresh_sieve(repository, config): ...
