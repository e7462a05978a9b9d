#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cccd_fuzz_targets::dpop_proof(bytes);
});
