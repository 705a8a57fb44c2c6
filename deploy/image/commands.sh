# shellcheck shell=bash disable=SC2154  # what ./dev has set
# Of ./dev: the container image.

# The image of Debian that the Dockerfile begins with, where no engine can fetch one.
image_base() {
  buildah images --format '{{.Name}}' | grep -q '^localhost/groupmamba-base$' && return
  say "making a base image with debootstrap"
  local folder container
  folder=$(mktemp -d)/root # made by debootstrap, with the mode of a root
  debootstrap --variant=minbase bookworm "$folder" >"$logs/debootstrap.log" 2>&1 ||
    { tail -n 20 "$logs/debootstrap.log" >&2; fail "debootstrap failed"; }
  # Security updates come from where this machine has them from.
  cp /etc/apt/sources.list "$folder/etc/apt/" 2>/dev/null || true
  cp /etc/apt/sources.list.d/debian.sources "$folder/etc/apt/sources.list.d/" 2>/dev/null || true
  container=$(buildah from scratch)
  buildah add -q "$container" "$folder" / >/dev/null
  buildah config --cmd /bin/bash "$container"
  buildah commit -q "$container" localhost/groupmamba-base >/dev/null
  buildah rm "$container" >/dev/null
  rm -rf "${folder%/root}"
}

# The same with nvcc, for the target cuda: this machine's toolkit without its large libraries.
image_cuda_base() {
  buildah images --format '{{.Name}}' | grep -q '^localhost/groupmamba-cuda-base$' && return
  need_nvcc
  say "making a base image with this machine's nvcc"
  local container folder toolkit
  toolkit=$(dirname "$(dirname "$(readlink -f "$(nvcc_path)")")")
  container=$(buildah from localhost/groupmamba-base)
  folder=$(buildah mount "$container")/usr/local/cuda
  mkdir -p "$folder"
  tar -C "$toolkit" -c \
    -X <(cd "$toolkit" && find lib lib64 targets -type f -size +10M 2>/dev/null) \
    bin include nvvm lib64 targets "$(readlink "$toolkit/lib64")" | tar -C "$folder" -x
  buildah umount "$container" >/dev/null
  buildah commit -q "$container" localhost/groupmamba-cuda-base >/dev/null
  buildah rm "$container" >/dev/null
}

cmd_image() { # [cpu|cuda [BUILD ARGS]]: the container image groupmamba-serve:cpu, with Docker or without
  local target=${1:-cpu} epoch
  epoch=$(git log -1 --format=%ct)
  if docker info >/dev/null 2>&1; then
    say "building groupmamba-serve:$target with Docker"
    docker build --target "$target" --build-arg SOURCE_DATE_EPOCH="$epoch" "${@:2}" \
      -t "groupmamba-serve:$target" .
    return
  fi
  [ "$(id -u)" -eq 0 ] || fail "without a Docker engine, buildah builds the image; as root"
  need image
  export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
  image_base
  [ "$target" != cuda ] || image_cuda_base
  say "building groupmamba-serve:$target with buildah (10 minutes; cuda: an hour, 15 GB of disk)"
  buildah bud --format docker --timestamp "$epoch" --target "$target" \
    --build-arg BASE=localhost/groupmamba-base \
    --build-arg CUDA_BASE=localhost/groupmamba-cuda-base --build-arg SOURCE_DATE_EPOCH="$epoch" \
    "${@:2}" -t "groupmamba-serve:$target.unsettled" .
  rm -rf build/image
  buildah push -q "groupmamba-serve:$target.unsettled" dir:build/image
  deploy/image/settle.py build/image
  buildah tag "$(buildah pull -q dir:build/image)" "groupmamba-serve:$target"
  buildah rmi "groupmamba-serve:$target.unsettled" >/dev/null
  rm -rf build/image
}

cmd_image_twice() { # [BUILD ARGS]: builds the image twice, from nothing; they are the same to the bit
  [ "$(id -u)" -eq 0 ] || fail "buildah builds the image; as root"
  need image
  export STORAGE_DRIVER=vfs
  local -a ids=()
  local build
  for build in 1 2; do
    cmd_image cpu "$@"
    ids+=("$(buildah inspect --type image --format '{{.FromImageID}}' groupmamba-serve:cpu)")
    say "build $build: ${ids[-1]}"
  done
  [ "${ids[0]}" = "${ids[1]}" ] || fail "two builds differ"
  say "the same image"
}

cmd_image_test() { # starts the image of ./dev image and uses it; needs buildah, as root
  [ "$(id -u)" -eq 0 ] || fail "the image's test mounts it and starts it as its user; as root"
  need image test
  export STORAGE_DRIVER=vfs
  local container code=0
  container=$(buildah from groupmamba-serve:cpu)
  buildah inspect --type image groupmamba-serve:cpu >build/image.json
  tests/deploy/image_test.py "$(buildah mount "$container")" build/image.json . || code=$?
  buildah umount "$container" >/dev/null
  buildah rm "$container" >/dev/null
  return $code
}
