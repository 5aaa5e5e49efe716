//! A number is E.164 or nothing, whatever separators it was typed with. Input: `US|(555) 123-4567`, the country being optional.
#![no_main]

use cr_core::identifiers::{PhoneNumber, mask_phone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (country, text) = input.split_once('|').map_or((None, input), |(country, text)| (Some(country), text));
    let Some(number) = PhoneNumber::parse(text, country) else { return };
    let stored = number.as_str();
    let digits = stored.strip_prefix('+').unwrap();
    assert!((3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{stored}");
    assert!(!digits.starts_with('0') && digits.starts_with(&number.calling_code()), "{stored}");
    for country in [None, country, Some("US"), Some("DE"), Some("IT"), Some("RU")] {
        assert_eq!(PhoneNumber::parse(stored, country).as_ref(), Some(&number), "{stored} in {country:?}");
        assert_eq!(PhoneNumber::parse(&format!("00{digits}"), country).as_ref(), Some(&number), "00{digits}");
    }
    let spread: String = text.chars().flat_map(|character| [character, '-']).collect();
    if spread.len() <= 64 {
        assert_eq!(PhoneNumber::parse(&spread, country).as_ref(), Some(&number), "{spread}");
    }
    let typed = text.bytes().filter(u8::is_ascii_digit).count();
    assert!(typed + 3 >= digits.len(), "no more than a calling code is added: {text} {stored}");
    let masked = mask_phone(stored);
    assert!(masked.starts_with("***") && masked.len() == 5 && stored.ends_with(&masked[3..]), "{masked}");
});
