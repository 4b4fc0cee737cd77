//! `cf.updateRequestOrigin` and its like: they read their arguments and remember them (cloudfront-functions.md 6.5).
//!
//! Only types are checked here, with a TypeError; values are the contract's, after the run.

use super::{Run, define, type_error};
use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, js_string, object::builtins::JsArray, property::PropertyKey,
};
use edgehook_contract::{
    HookPoint,
    viewer::{
        CustomOriginConfig, GroupMember, OriginAccessControl, OriginDirective, OriginOverrides, OriginProperties,
        OriginShield, OriginTimeouts,
    },
};

/// Most members of a list or a map.
const MEMBERS: u64 = 1000;

/// Adds the functions to the module `cloudfront`.
pub(super) fn install(module: &JsObject, context: &mut Context) -> JsResult<()> {
    define::method(module, "updateRequestOrigin", 1, update, context)?;
    define::method(module, "selectRequestOriginById", 2, select, context)?;
    define::method(module, "overrideRequestOrigin", 2, select, context)?;
    define::method(module, "createRequestOriginGroup", 1, group, context)
}

fn record(directive: OriginDirective, context: &mut Context) -> JsResult<JsValue> {
    let run = context.host_defined_mut().get_mut::<Run>();
    match run.filter(|run| run.hook == Some(HookPoint::ViewerRequest)) {
        Some(run) => {
            run.directive = Some(directive);
            Ok(JsValue::undefined())
        }
        None => Err(type_error("the origin can be changed only in the handler of a viewer-request function")),
    }
}

fn update(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(object) = arguments.first().and_then(JsValue::as_object) else {
        return Err(type_error("updateRequestOrigin takes an object"));
    };
    let properties = Properties { object, place: "origin" }.origin(context)?;
    record(OriginDirective::Update(Box::new(properties)), context)
}

fn select(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(id) = arguments.first().and_then(JsValue::as_string) else {
        return Err(type_error("selectRequestOriginById takes the id of an origin"));
    };
    let overrides = match arguments.get(1).filter(|value| !value.is_undefined()) {
        None => OriginOverrides::default(),
        Some(value) => {
            let object = value.as_object().ok_or_else(|| type_error("the overrides must be an object"))?;
            Properties { object, place: "overrides" }.overrides(context)?
        }
    };
    record(OriginDirective::Select(GroupMember { id: id.to_std_string_lossy(), overrides }), context)
}

fn group(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(object) = arguments.first().and_then(JsValue::as_object) else {
        return Err(type_error("createRequestOriginGroup takes an object"));
    };
    let group = Properties { object, place: "group" };
    let ids = group.list("originIds", context)?.ok_or_else(|| type_error("group.originIds must be an array"))?;
    let mut members = Vec::with_capacity(ids.len());
    for id in ids {
        members.push(member(&id, context)?);
    }
    let selection = group.text("selectionCriteria", context)?;
    let criteria = group.object.get(js_string!("failoverCriteria"), context)?;
    let codes = match criteria.as_object() {
        Some(list) if list.is_array() => group.list("failoverCriteria", context)?,
        Some(object) => Properties { object, place: "failoverCriteria" }.list("statusCodes", context)?,
        None => None,
    };
    let codes = codes.ok_or_else(|| type_error("group.failoverCriteria must hold the array statusCodes"))?;
    let codes = codes.iter().map(JsValue::as_number).collect::<Option<Vec<f64>>>();
    let status_codes = codes.ok_or_else(|| type_error("failoverCriteria.statusCodes must hold only numbers"))?;
    record(OriginDirective::Group { members, selection, status_codes }, context)
}

/// A member of a group: an id, or an object with an id and what differs.
fn member(value: &JsValue, context: &mut Context) -> JsResult<GroupMember> {
    if let Some(id) = value.as_string() {
        return Ok(GroupMember { id: id.to_std_string_lossy(), overrides: OriginOverrides::default() });
    }
    let object =
        value.as_object().ok_or_else(|| type_error("group.originIds must hold ids or objects with originId"))?;
    let member = Properties { object, place: "originIds" };
    let id = member.text("originId", context)?.ok_or_else(|| type_error("originIds.originId must be a string"))?;
    let overrides = match member.object("originOverrides", context)? {
        None => OriginOverrides::default(),
        Some(overrides) => overrides.overrides(context)?,
    };
    Ok(GroupMember { id, overrides })
}

/// An object whose properties are read by type.
struct Properties {
    object: JsObject,
    place: &'static str,
}

impl Properties {
    fn get<T>(
        &self,
        name: &'static str,
        expected: &str,
        convert: impl FnOnce(&JsValue) -> Option<T>,
        context: &mut Context,
    ) -> JsResult<Option<T>> {
        let value = self.object.get(JsString::from(name), context)?;
        if value.is_undefined() {
            return Ok(None);
        }
        let place = self.place;
        convert(&value).map(Some).ok_or_else(|| type_error(format!("{place}.{name} must be {expected}")))
    }

    fn text(&self, name: &'static str, context: &mut Context) -> JsResult<Option<String>> {
        self.get(name, "a string", |value| value.as_string().map(|text| text.to_std_string_lossy()), context)
    }

    fn number(&self, name: &'static str, context: &mut Context) -> JsResult<Option<f64>> {
        self.get(name, "a number", JsValue::as_number, context)
    }

    fn flag(&self, name: &'static str, context: &mut Context) -> JsResult<bool> {
        Ok(self.get(name, "true or false", JsValue::as_boolean, context)?.unwrap_or_default())
    }

    fn object(&self, name: &'static str, context: &mut Context) -> JsResult<Option<Self>> {
        let object = self.get(name, "an object", JsValue::as_object, context)?;
        Ok(object.map(|object| Self { object, place: name }))
    }

    fn list(&self, name: &'static str, context: &mut Context) -> JsResult<Option<Vec<JsValue>>> {
        let list = self.get(name, "an array", |value| JsArray::from_object(value.as_object()?).ok(), context)?;
        let Some(list) = list else { return Ok(None) };
        let length = list.length(context)?;
        if length > MEMBERS {
            return Err(type_error(format!("{}.{name} has more than {MEMBERS} members", self.place)));
        }
        (0..length).map(|index| list.get(index, context)).collect::<JsResult<Vec<_>>>().map(Some)
    }

    fn texts(&self, name: &'static str, context: &mut Context) -> JsResult<Option<Vec<String>>> {
        let Some(list) = self.list(name, context)? else { return Ok(None) };
        let texts = list.iter().map(|value| value.as_string().map(|text| text.to_std_string_lossy()));
        let texts = texts.collect::<Option<Vec<String>>>();
        texts.map(Some).ok_or_else(|| type_error(format!("{}.{name} must hold only strings", self.place)))
    }

    /// A flat object of strings.
    fn map(&self, name: &'static str, context: &mut Context) -> JsResult<Option<Vec<(String, String)>>> {
        let Some(map) = self.object(name, context)? else { return Ok(None) };
        let keys = map.object.own_property_keys(context)?;
        if keys.len() as u64 > MEMBERS {
            return Err(type_error(format!("{}.{name} has more than {MEMBERS} members", self.place)));
        }
        let mut pairs = Vec::with_capacity(keys.len());
        for key in keys.into_iter().filter(|key| !matches!(key, PropertyKey::Symbol(_))) {
            let member = match &key {
                PropertyKey::String(name) => name.to_std_string_lossy(),
                other => other.to_string(),
            };
            let value = map.object.get(key, context)?;
            let Some(value) = value.as_string() else {
                let shown: String = member.escape_default().take(64).collect();
                return Err(type_error(format!("{}.{name}[\"{shown}\"] must be a string", self.place)));
            };
            pairs.push((member, value.to_std_string_lossy()));
        }
        Ok(Some(pairs))
    }

    fn overrides(&self, context: &mut Context) -> JsResult<OriginOverrides> {
        Ok(OriginOverrides {
            host_header: self.text("hostHeader", context)?,
            sni: self.text("sni", context)?,
            allowed_certificate_names: self.texts("allowedCertificateNames", context)?,
        })
    }

    fn origin(&self, context: &mut Context) -> JsResult<OriginProperties> {
        let timeouts = match self.object("timeouts", context)? {
            None => OriginTimeouts::default(),
            Some(timeouts) => OriginTimeouts {
                read: timeouts.number("readTimeout", context)?,
                completion: timeouts.number("responseCompletionTimeout", context)?,
                keepalive: timeouts.number("keepAliveTimeout", context)?,
                connection: timeouts.number("connectionTimeout", context)?,
            },
        };
        let custom = match self.object("customOriginConfig", context)? {
            None => None,
            Some(custom) => Some(CustomOriginConfig {
                port: custom.number("port", context)?,
                protocol: custom.text("protocol", context)?,
                ssl_protocols: custom.texts("sslProtocols", context)?,
                ip_address_type: custom.text("ipAddressType", context)?,
            }),
        };
        let shield = match self.object("originShield", context)? {
            None => None,
            Some(shield) => Some(OriginShield {
                enabled: shield.flag("enabled", context)?,
                region: shield.text("region", context)?,
            }),
        };
        let access_control = match self.object("originAccessControlConfig", context)? {
            None => None,
            Some(access) => Some(OriginAccessControl {
                enabled: access.flag("enabled", context)?,
                signing_behavior: access.text("signingBehavior", context)?,
                signing_protocol: access.text("signingProtocol", context)?,
                origin_type: access.text("originType", context)?,
            }),
        };
        Ok(OriginProperties {
            domain_name: self.text("domainName", context)?,
            origin_path: self.text("originPath", context)?,
            custom_headers: self.map("customHeaders", context)?,
            connection_attempts: self.number("connectionAttempts", context)?,
            overrides: self.overrides(context)?,
            timeouts,
            custom,
            shield,
            access_control,
            mtls: self.text("mTLSConfig", context)?,
        })
    }
}
