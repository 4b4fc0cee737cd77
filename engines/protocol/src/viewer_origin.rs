//! The wire form of origin directives.

use crate::wire::{wire_enum, wire_struct};
use edgehook_contract::viewer::{
    CustomOriginConfig, GroupMember, OriginAccessControl, OriginDirective, OriginOverrides, OriginProperties,
    OriginShield, OriginTimeouts,
};

wire_enum!(OriginDirective {
    0 => Update(properties),
    1 => Select(member),
    2 => Group { members, selection, status_codes },
});
wire_struct!(GroupMember { id, overrides });
wire_struct!(OriginOverrides { host_header, sni, allowed_certificate_names });
wire_struct!(OriginProperties {
    domain_name,
    origin_path,
    custom_headers,
    connection_attempts,
    overrides,
    timeouts,
    custom,
    shield,
    access_control,
    mtls,
});
wire_struct!(OriginTimeouts { read, completion, keepalive, connection });
wire_struct!(CustomOriginConfig { port, protocol, ssl_protocols, ip_address_type });
wire_struct!(OriginShield { enabled, region });
wire_struct!(OriginAccessControl { enabled, signing_behavior, signing_protocol, origin_type });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire as _;
    use proptest::prelude::*;

    fn overrides() -> impl Strategy<Value = OriginOverrides> {
        (any::<Option<String>>(), any::<Option<String>>(), any::<Option<Vec<String>>>()).prop_map(
            |(host_header, sni, allowed_certificate_names)| OriginOverrides {
                host_header,
                sni,
                allowed_certificate_names,
            },
        )
    }

    fn member() -> impl Strategy<Value = GroupMember> {
        (any::<String>(), overrides()).prop_map(|(id, overrides)| GroupMember { id, overrides })
    }

    fn directive() -> impl Strategy<Value = OriginDirective> {
        let update = (any::<Option<String>>(), any::<Option<Vec<(String, String)>>>(), 0.0..1e9, overrides()).prop_map(
            |(domain_name, custom_headers, number, overrides)| {
                OriginDirective::Update(Box::new(OriginProperties {
                    domain_name,
                    custom_headers,
                    overrides,
                    connection_attempts: Some(number),
                    timeouts: OriginTimeouts { read: Some(number), ..OriginTimeouts::default() },
                    custom: Some(CustomOriginConfig { port: Some(number), ..CustomOriginConfig::default() }),
                    shield: Some(OriginShield { enabled: number > 5.0, region: None }),
                    access_control: Some(OriginAccessControl::default()),
                    ..OriginProperties::default()
                }))
            },
        );
        let codes = prop::collection::vec(0.0..1e3, 0..5);
        let group = (prop::collection::vec(member(), 0..4), any::<Option<String>>(), codes)
            .prop_map(|(members, selection, status_codes)| OriginDirective::Group { members, selection, status_codes });
        prop_oneof![update, member().prop_map(OriginDirective::Select), group]
    }

    proptest! {
        #[test]
        fn directives_round_trip(directive in directive()) {
            let mut bytes = Vec::new();
            directive.put(&mut bytes);
            prop_assert_eq!(OriginDirective::take(&mut bytes.as_slice()), Ok(directive));
        }
    }
}
