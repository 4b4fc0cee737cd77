//! Text encodings of `Buffer`: names, text to bytes, bytes to text. Decoding is as forgiving as Node's: what is no digit of
//! the encoding is skipped or ends the text, nothing is an error.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// Base64 as Node reads it: padding optional, surplus bits ignored.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// An encoding that `Buffer` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Base64,
    Base64Url,
    Hex,
    Latin1,
    Ascii,
    Utf16,
}

impl Encoding {
    /// The encoding of that name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf8" | "utf-8" => Self::Utf8,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            "hex" => Self::Hex,
            "latin1" | "binary" => Self::Latin1,
            "ascii" => Self::Ascii,
            "ucs2" | "ucs-2" | "utf16le" | "utf-16le" => Self::Utf16,
            _ => return None,
        })
    }

    /// Bytes of a text given as UTF-16 code units, the form that scripts hold.
    pub(crate) fn bytes(self, text: &[u16]) -> Vec<u8> {
        match self {
            Self::Utf8 => String::from_utf16_lossy(text).into_bytes(),
            Self::Base64 | Self::Base64Url => base64_bytes(text),
            Self::Hex => hex_bytes(text),
            Self::Latin1 | Self::Ascii => text.iter().map(|unit| unit.to_le_bytes()[0]).collect(),
            Self::Utf16 => text.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        }
    }

    /// Text of bytes.
    pub(crate) fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Base64 => general_purpose::STANDARD.encode(bytes),
            Self::Base64Url => general_purpose::URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Latin1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
            Self::Ascii => bytes.iter().map(|&byte| char::from(byte & 0x7f)).collect(),
            Self::Utf16 => {
                let units: Vec<u16> =
                    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                String::from_utf16_lossy(&units)
            }
        }
    }
}

fn ascii(unit: u16) -> Option<u8> {
    u8::try_from(unit).ok().filter(u8::is_ascii)
}

fn base64_bytes(text: &[u16]) -> Vec<u8> {
    let mut digits: Vec<u8> = text
        .iter()
        .take_while(|&&unit| unit != u16::from(b'='))
        .filter_map(|&unit| match ascii(unit)? {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            digit if digit.is_ascii_alphanumeric() || matches!(digit, b'+' | b'/') => Some(digit),
            _ => None,
        })
        .collect();
    if digits.len() % 4 == 1 {
        // Six bits are no byte.
        digits.pop();
    }
    FORGIVING.decode(digits).unwrap_or_default()
}

fn hex_bytes(text: &[u16]) -> Vec<u8> {
    let digit = |unit: u16| {
        ascii(unit).and_then(|byte| char::from(byte).to_digit(16)).and_then(|value| u8::try_from(value).ok())
    };
    text.chunks_exact(2).map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(encoding: Encoding, text: &str) -> Vec<u8> {
        encoding.bytes(&text.encode_utf16().collect::<Vec<_>>())
    }

    #[test]
    fn base64_is_read_forgivingly() {
        for text in ["aGk/Pg==", "aGk/Pg", "aGk_Pg", " aG k/\nPg==", "aGk/Pg==junk", "aGk/P"] {
            let expected: &[u8] = if text == "aGk/P" { b"hi?" } else { b"hi?>" };
            assert_eq!(bytes(Encoding::Base64, text), expected, "{text}");
        }
        assert_eq!(Encoding::Base64Url.text(b"hi?>\xff"), "aGk_Pv8");
        assert_eq!(Encoding::Base64.text(b"hi?>"), "aGk/Pg==");
    }

    #[test]
    fn hex_ends_at_the_first_other_character() {
        assert_eq!(bytes(Encoding::Hex, "00fFzz11"), [0, 0xff]);
        assert_eq!(bytes(Encoding::Hex, "abc"), [0xab]);
        assert_eq!(Encoding::Hex.text(&[0, 255]), "00ff");
    }

    #[test]
    fn text_survives() {
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            assert_eq!(encoding.text(&bytes(encoding, "hé€😀")), "hé€😀");
        }
        assert_eq!(Encoding::Latin1.text(&bytes(Encoding::Latin1, "hé")), "hé");
        assert_eq!(Encoding::Utf8.bytes(&[0xd800]), "\u{fffd}".as_bytes());
        assert_eq!(Encoding::named("UTF-8"), Some(Encoding::Utf8));
        assert_eq!(Encoding::named("rot13"), None);
    }
}
