//! `[server]` to `[geo]`, origins, and what `dev` puts in their place.

use super::node::{Node, Table, list, path, size};
use super::word;
use crate::access_log::{LogFormat, LogTarget};
use crate::{
    AccessLog, Admin, AdminListen, Debug, Dev, Geo, Limits, Origin, OriginGroup, OriginKind, OriginTarget,
    PrivateOrigin, Server, TlsVersion, Trace,
};

pub(super) fn server(server: &Server) -> Table {
    let listen = server.listen.iter().map(|it| format!("{}://{}", it.scheme.as_str(), it.address));
    let private = server.allow_private_origins.iter().map(|origin| match origin {
        PrivateOrigin::Name(name) => name.clone(),
        PrivateOrigin::Network(network) => network.to_string(),
    });
    let location = |it: &crate::EdgeLocation| {
        Table::default().with("name", &it.name).with("region", &it.region).with("server_ip", it.server_ip.to_string())
    };
    let mut table = Table::default()
        .with("listen", list(listen))
        .with("hosts", &server.hosts)
        .with("name", server.name.as_ref())
        .with("vendor", &server.vendor)
        .with("user_agent", &server.user_agent)
        .with("header_prefix", &server.header_prefix)
        .with("distribution_id", &server.distribution_id)
        .with("account_id", &server.account_id)
        .with("edge_location", server.edge_location.as_ref().map(location))
        .with("default_root_object", server.default_root_object.as_ref())
        .with("state_dir", path(&server.state_dir))
        .with("allow_private_origins", list(private))
        .with("isolate_hosts", server.isolate_hosts)
        .with("environments", server.environments)
        .with("drain_timeout", server.drain_timeout);
    let version = word(server.tls_min_version == TlsVersion::V1_3, "1.3", "1.2");
    let certificates = server.tls.iter().map(|it| {
        Table::default().with("cert", path(&it.cert)).with("key", path(&it.key)).with("min_version", version.clone())
    });
    table.list("tls", certificates);
    table
}

pub(super) fn limits(limits: &Limits) -> Table {
    Table::default()
        .with("handshake_timeout", limits.handshake_timeout)
        .with("header_timeout", limits.header_timeout)
        .with("idle_timeout", limits.idle_timeout)
        .with("write_timeout", limits.write_timeout)
        .with("body_min_rate", size(limits.body_min_rate))
        .with("head_bytes", size(limits.head_bytes))
        .with("head_fields", limits.head_fields)
        .with("url_bytes", size(limits.url_bytes))
        .with("connections", limits.connections)
        .with("connections_per_address", limits.connections_per_address)
}

pub(super) fn admin(admin: &Admin) -> Table {
    let listen = match &admin.listen {
        AdminListen::Tcp(address) => address.to_string(),
        AdminListen::Unix(socket) => format!("unix:{}", socket.display()),
    };
    Table::default()
        .with("listen", listen)
        .with("token", admin.token.as_ref())
        .with("insecure", admin.insecure)
        .with("redact", &admin.redact)
        .with("purge_secret", admin.purge_secret.as_ref())
}

pub(super) fn debug(debug: &Debug) -> Table {
    Table::default().with("header", &debug.header).with("secret", &debug.secret)
}

pub(super) fn access_log(log: &AccessLog) -> Table {
    let file = match &log.target {
        LogTarget::Stdout => Node::from("-"),
        LogTarget::File(file) => path(file),
    };
    Table::default().with("file", file).with("format", word(log.format == LogFormat::Json, "json", "cloudfront"))
}

pub(super) fn trace(trace: &Trace) -> Table {
    Table::default()
        .with("keep", u32::try_from(trace.keep).unwrap_or(u32::MAX))
        .with("memory", size(trace.memory))
        .with("sample", trace.sample)
        .with("bodies", trace.bodies)
}

pub(super) fn geo(geo: &Geo) -> Table {
    Table::default()
        .with("database", geo.database.as_deref().map(path))
        .with("asn_database", geo.asn_database.as_deref().map(path))
}

pub(super) fn origin(origin: &Origin) -> Table {
    let mut headers = Table::default();
    for (name, value) in &origin.headers {
        headers.put(name, &crate::Secret::new(value.clone()));
    }
    let mut table = match &origin.target {
        OriginTarget::Url(url) => Table::default().with("url", url.to_string()),
        OriginTarget::Dir(folder) => Table::default().with("dir", path(folder)),
        OriginTarget::Echo => Table::default(),
    }
    .with("type", word(origin.kind == OriginKind::S3, "s3", "custom"));
    table.filled("headers", headers);
    table
        .with("connection_timeout", origin.connection_timeout)
        .with("connection_attempts", origin.connection_attempts)
        .with("read_timeout", origin.read_timeout)
        .with("keepalive_timeout", origin.keepalive_timeout)
        .with("max_connections", origin.max_connections)
        .with("ca", origin.ca.as_deref().map(path))
}

pub(super) fn origin_group(group: &OriginGroup) -> Table {
    Table::default()
        .with("origins", list([&group.primary, &group.secondary]))
        .with("failover", Node::List(group.failover.iter().map(|status| Node::from(*status)).collect()))
        .with("skip_primary_for", group.skip_primary_for)
}

pub(super) fn dev(dev: &Dev) -> Table {
    let mut origins = Table::default();
    for (name, target) in &dev.origins {
        origins.put(
            name,
            match target {
                OriginTarget::Url(url) => Node::Text(url.to_string()),
                OriginTarget::Dir(folder) => path(folder),
                OriginTarget::Echo => Node::from("echo"),
            },
        );
    }
    let mut table = Table::default();
    table.filled("origin", origins);
    table
}
