//! The maps of an event: `headers`, `cookies` and `querystring`, with their field objects.
//!
//! They are made while loading, empty, and are part of the snapshot: a run only puts names and values in, which saves it nearly
//! all allocation and every growth of a table. What was put in is remembered, so that a map which the function left alone is
//! known for one without being read.

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue,
    builtins::object::OrdinaryObject,
    js_string,
    object::builtins::JsArray,
    property::{PropertyDescriptor, PropertyKey},
};

/// Field objects that are made while loading; a run that needs more makes them itself.
const FIELDS: usize = 48;

/// Names that a map has room for before its table grows.
const ROOM: usize = 15;

/// An ordinary enumerable property.
pub(super) fn data(value: impl Into<JsValue>) -> PropertyDescriptor {
    PropertyDescriptor::builder().value(value.into()).writable(true).enumerable(true).configurable(true).build()
}

/// Makes or replaces an ordinary property, whatever setters a script may have put on prototypes.
pub(super) fn put(object: &JsObject, name: JsString, value: impl Into<JsValue>) {
    object.insert_property(PropertyKey::String(name), data(value));
}

/// Objects `{value: ''}` that no map holds yet.
pub(super) struct Fields(Vec<JsObject>);

impl Fields {
    pub(super) fn new(context: &Context) -> Self {
        Self((0..FIELDS).map(|_| Self::field(context)).collect())
    }

    fn field(context: &Context) -> JsObject {
        let prototype = context.intrinsics().constructors().object().prototype();
        let field = JsObject::new(context.root_shape(), prototype, OrdinaryObject).upcast();
        put(&field, js_string!("value"), js_string!());
        field
    }

    fn take(&mut self, context: &Context, value: &JsString, attributes: Option<&JsString>) -> JsObject {
        let field = self.0.pop().unwrap_or_else(|| Self::field(context));
        put(&field, js_string!("value"), value.clone());
        if let Some(attributes) = attributes {
            put(&field, js_string!("attributes"), attributes.clone());
        }
        field
    }
}

/// One name of a map, as it was given to the function.
struct Given {
    key: PropertyKey,
    field: JsObject,
    /// The field object's shape: which properties it has, and of what kind.
    shape: usize,
    value: JsString,
    attributes: Option<JsString>,
    /// All values, if there are several.
    multi: Vec<JsValue>,
}

/// One of the maps.
pub(super) struct Map {
    object: JsObject,
    given: Vec<Given>,
    /// Whether [`Map::untouched`] can tell.
    plain: bool,
}

impl Map {
    pub(super) fn new(context: &mut Context) -> JsResult<Self> {
        let object = JsObject::with_object_proto(context.intrinsics());
        // Names that come and go leave their room behind.
        let names: Vec<JsString> = (0..ROOM).map(|number| JsString::from(format!("name {number}").as_str())).collect();
        for name in &names {
            put(&object, name.clone(), JsValue::undefined());
        }
        for name in names.into_iter().rev() {
            object.delete_property_or_throw(name, context)?;
        }
        Ok(Self { object, given: Vec::with_capacity(ROOM), plain: true })
    }

    pub(super) fn object(&self) -> &JsObject {
        &self.object
    }

    /// Adds one value; further ones of the same name make the field a list (cloudfront-functions.md 2.3).
    pub(super) fn add(
        &mut self,
        name: &str,
        value: &str,
        attributes: Option<&str>,
        fields: &mut Fields,
        context: &Context,
    ) {
        let (value, attributes) = (JsString::from(value), attributes.map(JsString::from));
        let field = fields.take(context, &value, attributes.as_ref());
        let key = PropertyKey::from(JsString::from(name));
        self.plain &= matches!(key, PropertyKey::String(_));
        if self.object.insert_property(key.clone(), data(field.clone())) {
            self.plain = false;
            if let Some(given) = self.given.iter_mut().find(|given| given.key == key) {
                self.object.insert_property(key, data(given.field.clone()));
                if given.multi.is_empty() {
                    let first = fields.take(context, &given.value, given.attributes.as_ref());
                    given.multi.push(first.into());
                }
                given.multi.push(field.into());
            }
            return;
        }
        let shape = field.borrow().shape().to_addr_usize();
        self.given.push(Given { key, field, shape, value, attributes, multi: Vec::new() });
    }

    /// After the last value: makes the lists.
    pub(super) fn finish(&mut self, context: &mut Context) {
        if self.plain {
            return;
        }
        for given in self.given.iter_mut().filter(|given| !given.multi.is_empty()) {
            let values = JsArray::from_iter(std::mem::take(&mut given.multi), context);
            put(&given.field, js_string!("multiValue"), values);
        }
    }

    /// Whether `value`, which a handler returned in this map's place, is this map with nothing in it changed. `false` may also
    /// mean that it was too much work to find out.
    pub(super) fn untouched(&self, value: &JsValue) -> bool {
        if !self.plain || !value.as_object().is_some_and(|object| JsObject::equals(&object, &self.object)) {
            return false;
        }
        let map = self.object.borrow();
        let properties = map.properties();
        // Names are only added, taken away or moved with a change of their number or of what they name.
        map.shape().keys().len() == self.given.len()
            && properties.index_property_keys().next().is_none()
            && self.given.iter().all(|given| {
                let field = properties.get(&given.key).filter(|property| property.enumerable() == Some(true));
                let field = field.as_ref().and_then(PropertyDescriptor::value).and_then(JsValue::as_object);
                field.is_some_and(|field| JsObject::equals(&field, &given.field) && given.is_untouched())
            })
    }
}

impl Given {
    /// Whether the field object is as it was given.
    fn is_untouched(&self) -> bool {
        let field = self.field.borrow();
        let same = |name, expected: &JsString| {
            let property = field.properties().get(&PropertyKey::String(name));
            let value = property.as_ref().and_then(PropertyDescriptor::value).and_then(JsValue::as_string);
            value.is_some_and(|value| value == *expected)
        };
        field.shape().to_addr_usize() == self.shape
            && same(js_string!("value"), &self.value)
            && self.attributes.as_ref().is_none_or(|attributes| same(js_string!("attributes"), attributes))
    }
}
