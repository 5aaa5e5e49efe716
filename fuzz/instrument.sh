#!/bin/sh
# Called by cargo in place of rustc, which is the first argument: lets the crates of this repository count what of them runs,
# for libFuzzer to see. All other crates are compiled as always, so that those that the workspace built need not be built again.
counts=no
for argument; do
  case "$argument" in
  cr_types | cr_core | cr_server | scrypt_lanes) [ "$previous" != --crate-name ] || counts=yes ;;
  *fuzz_targets/*.rs) counts=yes ;;
  esac
  previous=$argument
done
[ "$counts" = yes ] || exec "$@"
exec "$@" --cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
  -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
  -C llvm-args=-sanitizer-coverage-trace-compares
