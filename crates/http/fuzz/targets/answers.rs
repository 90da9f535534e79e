//! What instances send.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toehold_http_fuzz::holds;

fuzz_target!(|bytes: &[u8]| holds::of_answers(bytes));
