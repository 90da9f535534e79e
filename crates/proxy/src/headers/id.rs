//! The id of a request.

use toehold_http::{Name, Request};

/// The longest id that is taken over from a visitor, in bytes.
const MAX_BYTES: usize = 64;

/// How many hex digits an id of our own has: 128 bits.
const OWN: usize = 32;

/// One name for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id {
    text: [u8; MAX_BYTES],
    len: usize,
}

impl Id {
    /// The id a request came with where it is a sane one, else a new one.
    pub(crate) fn of(request: &Request<'_, '_>) -> Self {
        let mut fields = request.fields.iter();
        let given = fields.find(|field| Name::of(field.name) == Name::RequestId);
        given.and_then(|field| Self::taken_over(field.value)).unwrap_or_else(Self::fresh)
    }

    /// A new one.
    pub(crate) fn fresh() -> Self {
        let mut text = [0; MAX_BYTES];
        let random = fastrand::u128(..).to_be_bytes();
        // The room is as long as the digits are.
        let _ = hex::encode_to_slice(random, &mut text[..OWN]);
        Self { text, len: OWN }
    }

    /// The id that was given, where it is a sane one.
    pub(crate) fn taken_over(value: &[u8]) -> Option<Self> {
        let sane = (1..=MAX_BYTES).contains(&value.len())
            && value.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
        let mut text = [0; MAX_BYTES];
        text.get_mut(..value.len()).filter(|_| sane)?.copy_from_slice(value);
        Some(Self { text, len: value.len() })
    }

    pub(crate) fn as_str(&self) -> &str {
        // It is ASCII, however it came to be.
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}
