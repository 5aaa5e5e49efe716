//! Every key of the product, derived from the two configured secrets: one key a purpose.
//!
//! Medusa's own tokens are signed with `http.jwtSecret` itself, because Medusa reads them. Everything else gets a key of
//! its own by HKDF-SHA256 (RFC 5869), so that what one key made never passes for what another one makes. `jwtSecret` may
//! be a list: the first makes, all of them read. There is deliberately no claim, row or expiry here.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// HKDF's salt: separates this product from whatever else is derived from the same secret.
const SALT: &[u8] = b"customer-registration/1";

/// What a sealed text is for. One purpose's text never opens as another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The payload of a row in the outbox.
    Outbox,
    /// What of an OTP's row is personal.
    Otp,
    /// The content of an undo token.
    Undo,
    /// The session cookie; its key comes from `http.cookieSecret`.
    Session,
}

impl Seal {
    /// The label that its key is derived with, and the beginning of its authenticated data.
    fn label(self) -> &'static str {
        match self {
            Self::Outbox => "seal outbox",
            Self::Otp => "seal otp",
            Self::Undo => "seal undo",
            Self::Session => "seal session",
        }
    }
}

/// The keys of one process. Holds no secret that `Debug` could print.
pub struct Keys {
    current: Generation,
    former: Vec<Generation>,
    session: RandomizedNonceKey,
}

/// What comes from one entry of `http.jwtSecret`.
struct Generation {
    auth: TokenKey,
    root: hkdf::Prk,
    contact: hmac::Key,
    code: hmac::Key,
    outbox: RandomizedNonceKey,
    otp: RandomizedNonceKey,
    undo: RandomizedNonceKey,
}

/// A key that signs and verifies one kind of token.
pub(crate) struct TokenKey {
    signing: hmac::Key,
    verifying: DecodingKey,
}

impl Keys {
    /// Has aws-lc seed its random generator, which takes it some 70 ms the first time: sealing is what needs it.
    pub fn warm_up() {
        let mut waste = [0; 1];
        if aws_lc_rs::rand::fill(&mut waste).is_err() {
            tracing::error!("The random generator of aws-lc cannot be seeded; messages and sessions cannot be sealed");
        }
    }

    /// Derives everything at once. The first JWT secret makes, all of them read.
    ///
    /// Without any (the configuration refuses that) a random one takes its place, so that nobody can foresee it.
    pub fn new(jwt_secrets: &[SecretString], cookie_secret: &SecretString) -> Self {
        let mut generations = jwt_secrets.iter().map(|secret| Generation::new(secret.expose_secret().as_bytes()));
        let current = generations.next().unwrap_or_else(|| Generation::new(random_secret().as_slice()));
        let cookie = extract(cookie_secret.expose_secret().as_bytes());
        Self { current, former: generations.collect(), session: sealing_key(&cookie, Seal::Session) }
    }

    /// HMAC of a contact or another value that must not be stored in the clear; 64 hex digits.
    ///
    /// `label` says what the value is (`email`, `phone`, `address`, `customer`): equal texts of two kinds differ.
    pub fn contact_hmac(&self, label: &str, value: &str) -> String {
        hex(hmac_of(&self.current.contact, label, value).as_ref())
    }

    /// Whether `stored` came from [`Self::contact_hmac`], under any of the secrets, in constant time.
    pub fn contact_matches(&self, label: &str, value: &str, stored: &str) -> bool {
        self.any_matches(stored, |generation| hmac_of(&generation.contact, label, value))
    }

    /// HMAC of a code, bound to its OTP; 64 hex digits, stored as `hashed_code`.
    pub fn code_hmac(&self, otp_id: &str, code: &str) -> String {
        hex(hmac_of(&self.current.code, otp_id, code).as_ref())
    }

    /// Whether `stored` came from [`Self::code_hmac`], under any of the secrets, in constant time.
    pub fn code_matches(&self, otp_id: &str, code: &str, stored: &str) -> bool {
        self.any_matches(stored, |generation| hmac_of(&generation.code, otp_id, code))
    }

    /// Encrypts with AES-256-GCM, bound to the purpose and to the row that will hold it.
    ///
    /// Shape: URL-safe base64 without padding, of nonce (12 bytes), ciphertext and tag (16 bytes). The nonce is the
    /// crypto library's own random one, because a repeated one would give the key away.
    #[expect(clippy::expect_used, reason = "AES-GCM fails only beyond 64 GiB, or without a random source")]
    pub fn seal(&self, purpose: Seal, row_id: &str, plain: &[u8]) -> String {
        let mut buffer = plain.to_vec();
        let nonce = self
            .sealing(purpose)
            .seal_in_place_append_tag(Aad::from(binding(purpose, row_id)), &mut buffer)
            .expect("AES-256-GCM could not seal");
        let sealed = [nonce.as_ref().as_slice(), buffer.as_slice()].concat();
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// What [`Self::seal`] sealed; `None` if it is not ours, not for this purpose and row, or was changed.
    pub fn open(&self, purpose: Seal, row_id: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.opening(purpose).find_map(|key| {
            let mut buffer = Zeroizing::new(ciphertext.to_vec());
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = key.open_in_place(nonce, Aad::from(binding(purpose, row_id)), buffer.as_mut_slice()).ok()?;
            Some(plain.to_vec())
        })
    }

    /// The key that signs Medusa's own tokens.
    pub(crate) fn auth_key(&self) -> &TokenKey {
        &self.current.auth
    }

    /// The keys that Medusa's own tokens verify under, newest first.
    pub(crate) fn auth_keys(&self) -> impl Iterator<Item = &TokenKey> {
        self.generations().map(|generation| &generation.auth)
    }

    /// The key that signs tokens of our own of this kind.
    pub(crate) fn token_key(&self, kind: &str) -> TokenKey {
        self.current.token_key(kind)
    }

    /// The keys that tokens of our own of this kind verify under, newest first.
    pub(crate) fn token_keys(&self, kind: &str) -> impl Iterator<Item = TokenKey> {
        self.generations().map(move |generation| generation.token_key(kind))
    }

    /// All generations, the one that makes first.
    fn generations(&self) -> impl Iterator<Item = &Generation> {
        std::iter::once(&self.current).chain(&self.former)
    }

    /// The key that seals for a purpose.
    fn sealing(&self, purpose: Seal) -> &RandomizedNonceKey {
        self.current.sealing(purpose).unwrap_or(&self.session)
    }

    /// The keys that may have sealed for a purpose, newest first.
    fn opening(&self, purpose: Seal) -> impl Iterator<Item = &RandomizedNonceKey> {
        let session = (purpose == Seal::Session).then_some(&self.session);
        self.generations().filter_map(move |generation| generation.sealing(purpose)).chain(session)
    }

    /// Compares a stored HMAC (hex) with the one that each secret gives. No early end: all are computed.
    fn any_matches(&self, stored: &str, compute: impl Fn(&Generation) -> hmac::Tag) -> bool {
        let mut found = false;
        for generation in self.generations() {
            let expected = hex(compute(generation).as_ref());
            found |= constant_time::verify_slices_are_equal(expected.as_bytes(), stored.as_bytes()).is_ok();
        }
        found
    }
}

impl Generation {
    /// Derives the keys of one secret.
    fn new(secret: &[u8]) -> Self {
        let root = extract(secret);
        Self {
            auth: TokenKey::new(secret),
            contact: hmac::Key::new(hmac::HMAC_SHA256, expand(&root, "contact hmac").as_slice()),
            code: hmac::Key::new(hmac::HMAC_SHA256, expand(&root, "code hmac").as_slice()),
            outbox: sealing_key(&root, Seal::Outbox),
            otp: sealing_key(&root, Seal::Otp),
            undo: sealing_key(&root, Seal::Undo),
            root,
        }
    }

    /// The key of one kind of token; derived when asked for, which takes about a microsecond.
    fn token_key(&self, kind: &str) -> TokenKey {
        TokenKey::new(expand(&self.root, &format!("token {kind}")).as_slice())
    }

    /// The key of a purpose; `None` for the session, whose key does not come from this secret.
    fn sealing(&self, purpose: Seal) -> Option<&RandomizedNonceKey> {
        match purpose {
            Seal::Outbox => Some(&self.outbox),
            Seal::Otp => Some(&self.otp),
            Seal::Undo => Some(&self.undo),
            Seal::Session => None,
        }
    }
}

impl TokenKey {
    /// A key from its bytes.
    fn new(secret: &[u8]) -> Self {
        Self { signing: hmac::Key::new(hmac::HMAC_SHA256, secret), verifying: DecodingKey::from_secret(secret) }
    }

    /// The third part of a token: HMAC-SHA256 of the first two and their dot, in base64url (RFC 7515, appendix A.1).
    pub(crate) fn sign(&self, signing_input: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.signing, signing_input.as_bytes()))
    }

    /// The key as the token reader takes it.
    pub(crate) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }
}

/// HKDF's first half.
fn extract(secret: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret)
}

/// HKDF's second half: 32 bytes for one purpose.
#[expect(clippy::expect_used, reason = "HKDF-SHA256 fails only beyond 8,160 bytes; 32 are asked for")]
fn expand(root: &hkdf::Prk, label: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(key.as_mut_slice()))
        .expect("HKDF could not give 32 bytes");
    key
}

/// The AES-256-GCM key of a purpose.
#[expect(clippy::expect_used, reason = "AES-256 takes any 32 bytes")]
fn sealing_key(root: &hkdf::Prk, purpose: Seal) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, expand(root, purpose.label()).as_slice()).expect("not a key of 32 bytes")
}

/// A secret that nobody knows.
#[expect(clippy::expect_used, reason = "a system without a random source must not go on signing tokens")]
fn random_secret() -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(secret.as_mut_slice()).expect("the operating system's random source failed");
    secret
}

/// HMAC over two texts. The first one's length goes in front, so that no two pairs give the same bytes.
fn hmac_of(key: &hmac::Key, first: &str, second: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&u64::try_from(first.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(first.as_bytes());
    context.update(second.as_bytes());
    context.sign()
}

/// A sealed text's authenticated data: what it is for, a zero byte, which row it belongs to.
fn binding(purpose: Seal, row_id: &str) -> Vec<u8> {
    [purpose.label().as_bytes(), &[0], row_id.as_bytes()].concat()
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of more than thirty-two bytes";
    const COOKIE: &str = "a cookie secret of more than thirty-two bytes";

    fn keys(secrets: &[&str]) -> Keys {
        let secrets: Vec<SecretString> = secrets.iter().copied().map(SecretString::from).collect();
        Keys::new(&secrets, &COOKIE.into())
    }

    /// Made by Node's `crypto` (HKDF, HMAC, AES-GCM): a change of derivation would orphan every stored row.
    #[test]
    fn stored_values_outlive_a_new_version() {
        let keys = keys(&[SECRET]);
        let contact = "e9d6b6c057433a8c2cbd9dcfaa10323f3a13ac8ed63b412d86c395f34c516e50";
        let code = "8ffecbe575d9cfe804c67cc66eeb784b5848df0879e14abd9b621964ff5429bb";
        assert_eq!(keys.contact_hmac("email", "a@example.com"), contact);
        assert_eq!(keys.code_hmac("otp_1", "123456"), code);
        let outbox = "CQkJCQkJCQkJCQkJvRiWCsLO5e6PggEv8L7hUA3oETpB";
        let session = "CQkJCQkJCQkJCQkJLEqPWWXejecEehQvo2hQ3BLd_BfO";
        assert_eq!(keys.open(Seal::Outbox, "msg_1", outbox).unwrap(), b"hello");
        assert_eq!(keys.open(Seal::Session, "cr.sid", session).unwrap(), b"hello");
    }

    #[test]
    fn macs_bind_label_value_otp_and_secret() {
        let keys = keys(&[SECRET]);
        let contact = keys.contact_hmac("email", "ab");
        assert!(keys.contact_matches("email", "ab", &contact));
        for (label, value) in [("phone", "ab"), ("emaila", "b"), ("email", "b"), ("", "emailab")] {
            assert!(!keys.contact_matches(label, value, &contact), "{label} {value}");
        }
        let code = keys.code_hmac("otp_1", "123456");
        assert!(keys.code_matches("otp_1", "123456", &code));
        for (otp_id, code, stored) in [
            ("otp_2", "123456", code.as_str()),
            ("otp_1", "123457", &code),
            ("otp_11", "23456", &code),
            ("otp_1", "123456", ""),
            ("otp_1", "123456", &code[..63]),
            ("otp_1", "123456", &keys.contact_hmac("otp_1", "123456")),
        ] {
            assert!(!keys.code_matches(otp_id, code, stored), "{otp_id} {code} {stored}");
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_row_alone() {
        let keys = keys(&[SECRET]);
        let purposes = [Seal::Outbox, Seal::Otp, Seal::Undo, Seal::Session];
        for purpose in purposes {
            let sealed = keys.seal(purpose, "row_1", b"plain");
            assert_ne!(sealed, keys.seal(purpose, "row_1", b"plain"), "the nonce is new each time");
            for other in purposes {
                let opened = keys.open(other, "row_1", &sealed);
                assert_eq!(opened.is_some(), other == purpose, "{purpose:?} as {other:?}");
            }
            assert!(keys.open(purpose, "row_2", &sealed).is_none(), "{purpose:?}");
            assert_eq!(keys.open(purpose, "row_1", &sealed).unwrap(), b"plain", "{purpose:?}");
        }
        assert_eq!(keys.open(Seal::Otp, "r", &keys.seal(Seal::Otp, "r", b"")).unwrap(), b"");
    }

    #[test]
    fn a_changed_or_shortened_text_does_not_open() {
        let keys = keys(&[SECRET]);
        let sealed = keys.seal(Seal::Otp, "row", b"plain");
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(keys.open(Seal::Otp, "row", &URL_SAFE_NO_PAD.encode(changed)).is_none(), "byte {index}");
            assert!(keys.open(Seal::Otp, "row", &URL_SAFE_NO_PAD.encode(&bytes[..index])).is_none(), "{index} bytes");
        }
        for text in ["", "!", "é", "AAAA"] {
            assert!(keys.open(Seal::Otp, "row", text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_former_secret_still_reads_and_a_dropped_one_does_not() {
        let old = keys(&["old"]);
        let (sealed, code) = (old.seal(Seal::Outbox, "row", b"plain"), old.code_hmac("otp", "1"));
        let contact = old.contact_hmac("email", "a");
        for (secrets, reads) in [(vec!["new", "old"], true), (vec!["new", "newer", "old"], true), (vec!["new"], false)]
        {
            let rotated = keys(&secrets);
            assert_eq!(rotated.open(Seal::Outbox, "row", &sealed).is_some(), reads, "{secrets:?}");
            assert_eq!(rotated.code_matches("otp", "1", &code), reads, "{secrets:?}");
            assert_eq!(rotated.contact_matches("email", "a", &contact), reads, "{secrets:?}");
            assert_ne!(rotated.code_hmac("otp", "1"), code, "the first one makes");
        }
    }

    /// A configuration that slipped through without a secret must not sign with a key that anybody knows.
    #[test]
    fn no_secret_at_all_gives_a_key_that_nobody_knows() {
        assert_ne!(keys(&[]).code_hmac("otp", "1"), keys(&[]).code_hmac("otp", "1"));
        assert_ne!(keys(&[]).code_hmac("otp", "1"), keys(&[""]).code_hmac("otp", "1"));
    }
}
