#!/usr/bin/env bash
# Runs the AVX-512 scan's tests on a machine without AVX-512, in the Bochs
# emulator: Debian's kernel, a shell and the tests, on an emulated Skylake-X.
# Takes some minutes, most of them for the kernel to start.
# Usage: emulate_avx512.sh build/release/bin
# Needs: bochs bochsbios vgabios grub-pc-bin grub-common xorriso mtools
#        busybox-static cpio (and apt-get, to fetch a kernel)
set -euo pipefail
bin=$(realpath "$1")
tests=(selective_scan_test selective_scan_backward_test)
work=$(mktemp -d)
emulator=
trap '[ -z "$emulator" ] || kill "$emulator" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

mkdir -p root/{bin,dev,proc} iso/boot/grub
kernel=$(apt-cache depends --important linux-image-cloud-amd64 |
  sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p')
apt-get download "$kernel" >/dev/null 2>&1
dpkg-deb --fsys-tarfile ./*.deb | tar x --wildcards './boot/vmlinuz*'
mv boot/vmlinuz* iso/boot/vmlinuz

cp /bin/busybox root/bin/busybox
ln -s busybox root/bin/sh
for test in "${tests[@]}"; do cp "$bin/$test" root/bin/; done
for library in $(cd "$bin" && ldd "${tests[@]}" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
  mkdir -p "root$(dirname "$library")"
  cp -L "$library" "root$library"
done
cat >root/init <<INIT
#!/bin/sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
exec >/dev/ttyS0 2>&1
for test in ${tests[*]}; do
  /bin/\$test --gtest_filter='*avx512*' || echo "\$test FAILED"
done
echo "end of the emulation"
/bin/busybox poweroff -f
INIT
chmod +x root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >iso/boot/initrd.gz
# noxsaves: the kernel would find that Bochs gives a wrong size for the compact form
# of the wide registers, and switch them off.
cat >iso/boot/grub/grub.cfg <<'GRUB'
set timeout=0
linux /boot/vmlinuz console=ttyS0 quiet mitigations=off nokaslr noxsaves no_timer_check
initrd /boot/initrd.gz
boot
GRUB
grub-mkrescue -o scan.iso iso >/dev/null 2>&1

cat >bochsrc <<'BOCHS'
cpu: model=corei7_skylake_x, count=1, ips=50000000
memory: guest=512, host=512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path=scan.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
display_library: rfb, options="timeout=0"
log: bochs.log
clock: sync=none
BOCHS
# Debian's Bochs stops in its debugger first; "c" goes on.
echo c >debugger.rc
mkfifo keyboard
bochs -q -f bochsrc -rc debugger.rc <keyboard >/dev/null 2>&1 &
emulator=$!
exec 3>keyboard
touch serial.txt
timeout 3600 grep -q 'end of the emulation' \
  <(tail -f serial.txt --pid="$emulator") || true
cat serial.txt
grep -q 'end of the emulation' serial.txt
! grep -qE 'FAILED|SKIPPED' serial.txt
