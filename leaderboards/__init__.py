"""Tracks and published boards: `<track>/track.yaml` and `<track>/<task>@<level>/<entry>.yaml`."""
