#!/usr/bin/env python3
"""Puts an image's files together: the installed programs, the models, the libraries that the
programs load, and an SPDX document of all that. Needs no network.

Usage: assemble.py [--lock FILE] [--build-lock FILE] [--wheels LOCK]... [--epoch SECONDS]
                   INSTALLED MODELS IMAGE

--lock: NAME VERSION a line, of the Debian packages whose libraries are taken; others end the
build, so that a new version comes in by a change of that file (--write-lock writes it).
--build-lock: the same of those that the programs were built with, whose code or doing is in them.
--wheels: pins of what else lies in INSTALLED, for the document.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Of the packages that the build asks for, those that fetch and keep, but change no bit.
BESIDE = {"ccache", "git", "python3-pip", "unzip"}
PROGRAMS = ("groupmamba-client", "groupmamba-decoder", "groupmamba-server")


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def loaded_libraries(programs, installed):
    """The files that the loader maps for them, loader included, as the programs name them;
    those in `installed` are there already."""
    found = set()
    for program in programs:
        for line in output_of("ldd", str(program)).splitlines():
            if "not found" in line and not line.strip().startswith("libcuda.so.1 "):  # the driver's
                sys.exit(f"{program}: {line.strip()}")
            path = re.search(r"(/\S+) \(0x", line)
            if path and not path.group(1).startswith(str(installed)):
                found.add(path.group(1))
    return sorted(found)


def package_of(path):
    """(name, version) of the Debian package that owns a file."""
    real = os.path.realpath(path)
    # Debian 12 knows some files by their old place, /lib, and some by /usr/lib.
    for candidate in (path, real, real.removeprefix("/usr")):
        run = subprocess.run(["dpkg-query", "-S", candidate], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False)
        if run.returncode == 0:
            name = run.stdout.split(": ")[0].split(",")[0]
            return tuple(output_of("dpkg-query", "-W", "-f", "${Package} ${Version}",
                                   name).split())
    sys.exit(f"{path} is of no Debian package")


def build_packages():
    """(name, version) of what decides the programs' bits: the packages that the build asked for,
    and the compiler and linker, with what they put into every program."""
    names = re.findall(r"(?m)^build (\S+)", pathlib.Path("cmake/packages.txt").read_text())
    listed = {tuple(output_of("dpkg-query", "-W", "-f", "${Package} ${Version}", name).split())
              for name in names if name not in BESIDE}
    files = [shutil.which(tool) for tool in ("c++", "as", "ld")]
    files += [output_of("c++", "-print-prog-name=cc1plus").strip()]
    files += [output_of("c++", "-print-file-name=" + name).strip()
              for name in ("crt1.o", "libgcc.a", "libstdc++.a")]
    return sorted(listed | {package_of(os.path.realpath(path)) for path in files})


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def spdx(packages, built_with, wheels, image, epoch):
    """What is in the image, as an SPDX document."""
    def package(name, version, purl):
        identifier = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{name}-{version}")
        return {"SPDXID": identifier, "name": name, "versionInfo": version,
                "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
                "copyrightText": "NOASSERTION",
                "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER",
                                  "referenceType": "purl", "referenceLocator": purl}]}

    def debian(name, version):
        return package(name, version, f"pkg:deb/debian/{name}@{version}?distro=bookworm")

    listed = [debian(*one) for one in packages]
    listed += [package(name, version, f"pkg:pypi/{name}@{version}") for name, version in wheels]
    build = [debian(*one) for one in built_with if one not in packages]
    files = [{"SPDXID": f"SPDXRef-File-{i}", "fileName": "./" + str(path.relative_to(image)),
              "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(path)}],
              "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"}
             for i, path in enumerate(sorted(p for p in image.rglob("*")
                                             if p.is_file() and not p.is_symlink()))]
    contents = hashlib.sha256(json.dumps([listed, build, files]).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": "groupmamba-serve",
            "documentNamespace": f"urn:groupmamba-serve:sbom:{contents}",
            "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": ["Tool: deploy/image/assemble.py"]},
            "packages": listed + build, "files": files,
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT",
                               "relationshipType": "DESCRIBES",
                               "relatedSpdxElement": p["SPDXID"]} for p in listed] +
                             [{"spdxElementId": p["SPDXID"],
                               "relationshipType": "BUILD_DEPENDENCY_OF",
                               "relatedSpdxElement": "SPDXRef-DOCUMENT"} for p in build]}


def pins(lock):
    return re.findall(r"(?m)^([A-Za-z0-9_.-]+)==(\S+)", pathlib.Path(lock).read_text())


def hold_against_lock(packages, lock, write):
    text = "".join(f"{name} {version}\n" for name, version in packages)
    if write:
        pathlib.Path(lock).write_text(text)
    wanted = pathlib.Path(lock).read_text()
    if text != wanted:
        here, there = set(text.splitlines()), set(wanted.splitlines())
        sys.exit(f"{lock} differs from what would be taken: here {sorted(here - there)}, "
                 f"there {sorted(there - here)}; look at it, then write it with --write-lock")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lock")
    parser.add_argument("--build-lock", required=True)
    parser.add_argument("--write-lock", action="store_true")
    parser.add_argument("--wheels", action="append", default=[])
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("installed", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path)
    options = parser.parse_args()
    image = options.image
    shutil.rmtree(image, ignore_errors=True)

    for folder in ("usr/lib", "usr/lib64", "etc"):
        (image / folder).mkdir(parents=True)
    for name in ("lib", "lib64"):  # as Debian's
        (image / name).symlink_to("usr/" + name)
    ours = image / options.installed.relative_to("/")
    (ours / "bin").mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy(options.installed / "bin" / name, ours / "bin")
    if (options.installed / "lib/groupmamba").exists():
        shutil.copytree(options.installed / "lib/groupmamba", ours / "lib/groupmamba")
    shutil.copytree(options.models, image / "models")
    (image / "etc/passwd").write_text("groupmamba:x:65532:65532::/:/none\n")
    (image / "etc/group").write_text("groupmamba:x:65532:\n")

    programs = [options.installed / "bin" / name for name in PROGRAMS]
    programs += sorted((options.installed / "lib/groupmamba").glob("*.so*"))
    libraries = loaded_libraries(programs, options.installed)
    packages = sorted({package_of(path) for path in libraries})
    built_with = build_packages()
    hold_against_lock(built_with, options.build_lock, options.write_lock)
    if options.lock:
        hold_against_lock(packages, options.lock, options.write_lock)
    for library in libraries:
        # Where the loader looks for it, as a file: no links to follow, no cache needed.
        target = image / os.path.join(os.path.realpath(os.path.dirname(library)),
                                      os.path.basename(library)).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(library), target)
    # Debian's libraries lie in several folders (BLAS, for one): the loader's list of them.
    subprocess.run(["ldconfig", "-X", "-r", str(image)] +
                   sorted({"/" + str(path.parent.relative_to(image))
                           for path in image.glob("usr/lib/**/*.so*")}), check=True)
    # Licences, of libraries and of headers, whose code may be in the programs.
    for name in {name for name, _ in packages} | {n for n, _ in built_with if n.endswith("-dev")}:
        target = image / "usr/share/doc" / name
        target.mkdir(parents=True)
        shutil.copy(f"/usr/share/doc/{name}/copyright", target)

    wheels = [pin for lock in options.wheels for pin in pins(lock)]
    document = image / "usr/share/doc/groupmamba-serve/sbom.spdx.json"
    document.parent.mkdir(parents=True)
    bill = spdx(packages, built_with, wheels, image, options.epoch)
    document.write_text(json.dumps(bill, indent=1))
    for path in [image, *image.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        os.utime(path, (options.epoch, options.epoch), follow_symlinks=False)
    size = sum(p.lstat().st_size for p in image.rglob("*") if p.is_file() and not p.is_symlink())
    print(f"{len(libraries)} libraries of {len(packages)} packages; {size / 1e6:.0f} MB in all")


if __name__ == "__main__":
    main()
