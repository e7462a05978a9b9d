#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cccd_fuzz_targets::public_key(bytes);
});
