#!/usr/bin/env python3
"""Takes out of an image's configuration what buildah names after its containers, which differs
from build to build and which nothing reads.

Usage: settle.py FOLDER   an image as `buildah push IMAGE dir:FOLDER` writes it; changed there
"""

import hashlib
import json
import pathlib
import sys


def settle(folder):
    manifest_path = folder / "manifest.json"
    manifest = json.loads(manifest_path.read_bytes())
    blob = folder / manifest["config"]["digest"].removeprefix("sha256:")
    config = json.loads(blob.read_bytes())
    config.pop("container", None)
    for part in ("config", "container_config"):
        config.get(part, {}).pop("Hostname", None)
    blob.unlink()
    data = json.dumps(config, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    (folder / digest).write_bytes(data)
    manifest["config"].update(digest="sha256:" + digest, size=len(data))
    manifest_path.write_text(json.dumps(manifest))


settle(pathlib.Path(sys.argv[1]))
