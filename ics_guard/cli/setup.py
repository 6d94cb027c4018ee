"""init, install, uninstall, demo: getting started."""
