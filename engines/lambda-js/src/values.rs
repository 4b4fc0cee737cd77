//! JSON and JavaScript's values, both ways, without running any of the function's code: an event becomes objects while it is read,
//! and a result is written from objects as they lie there.
//!
//! What [`read`] makes is what `JSON.parse` would make, and what [`write`] writes is what `JSON.stringify` would write. Where that
//! could run code or needs its care (`toJSON`, getters, proxies, instances of classes, cycles), `write` gives up, and the scripts
//! call `JSON.stringify` itself.

use boa_engine::{
    Context, JsObject, JsStr, JsString, JsValue, JsVariant,
    builtins::object::OrdinaryObject,
    js_str, js_string,
    object::{IndexProperties, builtins::JsArray},
    property::{PropertyDescriptor, PropertyKey},
    string::JsStrVariant,
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write as _};

/// How deep objects may lie within each other before [`write`] leaves them to `JSON.stringify`.
const DEPTH: usize = 64;

/// Reads JSON.
///
/// # Errors
/// The bytes are no JSON, or values lie too deep within each other.
pub(crate) fn read(json: &[u8], context: &mut Context) -> serde_json::Result<JsValue> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Seed { context, names_vary: false }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads one value.
struct Seed<'a> {
    context: &'a mut Context,
    /// Whether an object has its names from the viewer or the origin: then a shape for each set of names, which the engine would
    /// share between objects, is one that hardly comes again.
    names_vary: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = JsValue;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<JsValue, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = JsValue;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<JsValue, E> {
        Ok(JsValue::null())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<JsValue, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<JsValue, E> {
        #[expect(clippy::cast_precision_loss, reason = "as JavaScript reads it")]
        Ok(i32::try_from(value).map_or_else(|_| JsValue::from(value as f64), JsValue::from))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<JsValue, E> {
        #[expect(clippy::cast_precision_loss, reason = "as JavaScript reads it")]
        Ok(i32::try_from(value).map_or_else(|_| JsValue::from(value as f64), JsValue::from))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<JsValue, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<JsValue, E> {
        Ok(JsString::from(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Seed { context: self.context, names_vary: false })? {
            values.push(value);
        }
        Ok(JsArray::from_iter(values, self.context).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsValue, A::Error> {
        let prototype = self.context.intrinsics().constructors().object().prototype();
        let object = if self.names_vary {
            JsObject::new_unique(prototype, OrdinaryObject).upcast()
        } else {
            JsObject::new(self.context.root_shape(), prototype, OrdinaryObject).upcast()
        };
        while let Some(Name { name, of_headers }) = members.next_key_seed(NameSeed)? {
            let value = members.next_value_seed(Seed { context: self.context, names_vary: of_headers })?;
            let property =
                PropertyDescriptor::builder().value(value).writable(true).enumerable(true).configurable(true);
            object.insert_property(name, property);
        }
        Ok(object.into())
    }
}

/// The name of a member.
struct Name {
    name: PropertyKey,
    /// Whether it is one that the maps of headers have (lambda-edge.md 2.4).
    of_headers: bool,
}

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Name, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Name;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        let of_headers = matches!(name, "headers" | "customHeaders");
        let name = known(name).map_or_else(|| PropertyKey::from(JsString::from(name)), PropertyKey::String);
        Ok(Name { name, of_headers })
    }
}

/// A name that most events have (lambda-edge.md 2): these need no memory and no look at what they are.
fn known(name: &str) -> Option<JsString> {
    macro_rules! known {
        ($($known:literal)*) => {
            match name {
                $($known => Some(js_string!($known)),)*
                _ => None,
            }
        };
    }
    known! {
        "Records" "cf" "config" "request" "response"
        "distributionDomainName" "distributionId" "eventType" "requestId"
        "clientIp" "method" "uri" "querystring" "headers" "body" "origin" "key" "value"
        "inputTruncated" "action" "encoding" "data"
        "custom" "s3" "domainName" "path" "customHeaders" "port" "protocol" "keepaliveTimeout" "readTimeout" "sslProtocols"
        "authMethod" "region" "status" "statusDescription"
        "host" "user-agent" "accept" "accept-encoding" "accept-language" "cookie" "referer" "via" "x-forwarded-for"
        "content-type" "content-length" "cache-control" "date" "etag" "last-modified" "server"
    }
}

/// The JSON text of an object or an array; `None`: it has to be left to `JSON.stringify`.
pub(crate) fn write(value: &JsValue, context: &mut Context) -> Option<String> {
    let constructors = context.intrinsics().constructors();
    let (object, array) = (constructors.object().prototype(), constructors.array().prototype());
    let has_to_json = |object: &JsObject| object.borrow().properties().contains_key(&js_string!("toJSON").into());
    if object.prototype().is_some()
        || has_to_json(&object)
        || has_to_json(&array)
        || !array.prototype().is_some_and(|prototype| JsObject::equals(&prototype, &object))
    {
        return None;
    }
    let mut writer = Writer { text: String::with_capacity(4 * 1024), within: Vec::new(), object, array, context };
    let top = value.as_object()?;
    writer.object(&top)?;
    Some(writer.text)
}

struct Writer<'a> {
    text: String,
    /// The objects around what is being written.
    within: Vec<JsObject>,
    /// `Object.prototype`, which has no `toJSON`.
    object: JsObject,
    /// `Array.prototype`, which has none either.
    array: JsObject,
    context: &'a mut Context,
}

impl Writer<'_> {
    fn object(&mut self, object: &JsObject) -> Option<()> {
        if self.within.len() >= DEPTH || self.within.iter().any(|outer| JsObject::equals(outer, object)) {
            return None;
        }
        let prototype = object.prototype();
        self.within.push(object.clone());
        if object.is_array() {
            prototype.filter(|prototype| JsObject::equals(prototype, &self.array))?;
            self.items(object)?;
        } else {
            let plain = prototype.is_none_or(|prototype| JsObject::equals(&prototype, &self.object));
            (plain && object.is_ordinary()).then_some(())?;
            self.members(object)?;
        }
        self.within.pop();
        Some(())
    }

    /// An array without holes, and without any other property.
    fn items(&mut self, array: &JsObject) -> Option<()> {
        let borrowed = array.borrow();
        let properties = borrowed.properties();
        let length = properties.get(&js_string!("length").into())?.value()?.as_i32()?;
        let items = properties.index_properties();
        if borrowed.shape().keys().len() != 1 || usize::try_from(length).ok()? != items.len() {
            return None;
        }
        self.text.push('[');
        match items {
            IndexProperties::DenseI32(items) => items.for_each(|(index, item)| {
                self.separate(index);
                self.integer(*item);
            }),
            IndexProperties::DenseF64(items) => items.for_each(|(index, item)| {
                self.separate(index);
                self.number(*item);
            }),
            IndexProperties::DenseElement(mut items) => items.try_for_each(|(index, item)| {
                self.separate(index);
                if item.is_undefined() || item.is_symbol() {
                    self.text.push_str("null");
                    return Some(());
                }
                self.value(item)
            })?,
            IndexProperties::SparseElement(_) | IndexProperties::SparseProperty(_) => return None,
        }
        self.text.push(']');
        Some(())
    }

    fn members(&mut self, object: &JsObject) -> Option<()> {
        let borrowed = object.borrow();
        let properties = borrowed.properties();
        let mut indices: Vec<u32> = properties.index_property_keys().collect();
        indices.sort_unstable();
        let mut written = 0;
        self.text.push('{');
        for key in indices.into_iter().map(PropertyKey::from).chain(borrowed.shape().keys()) {
            let name = match &key {
                PropertyKey::String(name) => name.clone(),
                PropertyKey::Index(index) => JsString::from(index.get().to_string()),
                PropertyKey::Symbol(_) => continue,
            };
            let property = properties.get(&key)?;
            // A getter would have to be called, and a method of this name too.
            let value = property.value().filter(|_| name != js_str!("toJSON"))?;
            if property.enumerable() != Some(true) || value.is_undefined() || value.is_symbol() {
                continue;
            }
            self.separate(written);
            written += 1;
            self.string(name.as_str());
            self.text.push(':');
            self.value(value)?;
        }
        self.text.push('}');
        Some(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
        }
    }

    fn value(&mut self, value: &JsValue) -> Option<()> {
        match value.variant() {
            JsVariant::Null => self.text.push_str("null"),
            JsVariant::Boolean(value) => self.text.push_str(if value { "true" } else { "false" }),
            JsVariant::String(value) => self.string(value.as_str()),
            JsVariant::Integer32(value) => self.integer(value),
            JsVariant::Float64(value) => self.number(value),
            JsVariant::Object(object) => self.object(&object)?,
            JsVariant::Undefined | JsVariant::Symbol(_) | JsVariant::BigInt(_) => return None,
        }
        Some(())
    }

    fn integer(&mut self, value: i32) {
        // Writing to a string never fails.
        let _ = write!(self.text, "{value}");
    }

    fn number(&mut self, value: f64) {
        match JsValue::from(value).to_string(self.context) {
            Ok(digits) if value.is_finite() => self.text.push_str(&digits.to_std_string_lossy()),
            _ => self.text.push_str("null"),
        }
    }

    fn string(&mut self, value: JsStr<'_>) {
        self.text.push('"');
        match value.variant() {
            JsStrVariant::Latin1(bytes) => {
                let mut rest = bytes;
                // What stands for itself goes over as one piece.
                while let Some(at) = rest.iter().position(|&byte| !stands_for_itself(byte)) {
                    self.plain(&rest[..at]);
                    self.character(char::from(rest[at]));
                    rest = &rest[at + 1..];
                }
                self.plain(rest);
            }
            JsStrVariant::Utf16(units) => {
                for unit in char::decode_utf16(units.iter().copied()) {
                    match unit {
                        Ok(character) => self.character(character),
                        Err(alone) => self.escape(alone.unpaired_surrogate()),
                    }
                }
            }
        }
        self.text.push('"');
    }

    fn plain(&mut self, ascii: &[u8]) {
        self.text.push_str(str::from_utf8(ascii).unwrap_or_default());
    }

    fn character(&mut self, character: char) {
        match character {
            '\u{8}' => self.text.push_str("\\b"),
            '\t' => self.text.push_str("\\t"),
            '\n' => self.text.push_str("\\n"),
            '\u{c}' => self.text.push_str("\\f"),
            '\r' => self.text.push_str("\\r"),
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            control if control < ' ' => self.escape(control as u16),
            other => self.text.push(other),
        }
    }

    fn escape(&mut self, unit: u16) {
        let _ = write!(self.text, "\\u{unit:04x}");
    }
}

/// Whether a character of JSON's strings is written as it is, in one byte.
fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii() && byte >= b' ' && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests;
