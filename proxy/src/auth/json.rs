//! JSON from strangers: no member twice, no deep nesting, nothing behind it (security.md 2.7).
//!
//! Two readers of one text must not see different values, so a repeated member is an error and not the last one's win.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting of lists and objects.
const DEPTH: usize = 16;

/// Reads one value.
///
/// # Errors
/// What is wrong with the text, without a word of it.
pub(crate) fn parse(text: &[u8]) -> Result<Value, &'static str> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|error| {
        // serde_json quotes pieces of the text in its errors; these two are ours.
        [TWICE, DEEP].into_iter().find(|ours| error.to_string().starts_with(ours)).unwrap_or("it is not JSON")
    })?;
    reader.end().map_err(|_| "something stands behind it")?;
    Ok(value)
}

/// Reads one object.
///
/// # Errors
/// As [`parse`], or it is another value.
pub(crate) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, &'static str> {
    match parse(text)? {
        Value::Object(members) => Ok(members),
        _ => Err("it is no JSON object"),
    }
}

const TWICE: &str = "a member is there twice";
const DEEP: &str = "it is nested too deep";

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn within<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH { Err(E::custom(DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_refused() {
        assert_eq!(parse(br#"{"a":1,"b":2,"a":3}"#), Err(TWICE));
        assert_eq!(parse(br#"{"a":1,"\u0061":3}"#), Err(TWICE), "an escape is another way to write the same name");
        assert_eq!(parse(br#"{"x":{"a":1,"a":1}}"#), Err(TWICE));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH + 1).as_bytes()), Err(DEEP));
        assert_eq!(parse(b"{} {}"), Err("something stands behind it"));
        for text in ["", "{", "{'a':1}", "{\"a\":1,}", "1e400", "NaN", "\u{feff}{}", "{\"a\":01}", "\"\\ud800\""] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert_eq!(parse_object(b"[]"), Err("it is no JSON object"));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_where_it_accepts(text in r#"[\[\]{}:,"ab0-9.e-]{0,16}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str::<Value>(&text).ok());
            }
        }
    }
}
