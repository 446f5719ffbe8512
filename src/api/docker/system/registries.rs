//! What `GET /info` tells of registries.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::docker::app::Settings;
use crate::api::docker::versions::SystemShape;

/// The configuration of registries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RegistryServiceConfig {
    /// Always `null`: Loadline has no nondistributable artifacts.
    #[serde(rename = "AllowNondistributableArtifactsCIDRs", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, example = json!(null))]
    nondistributable_cidrs: Option<()>,
    /// Always `null`.
    #[serde(rename = "AllowNondistributableArtifactsHostnames", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, example = json!(null))]
    nondistributable_hosts: Option<()>,
    /// Networks whose registries may be contacted over plain HTTP.
    #[serde(rename = "InsecureRegistryCIDRs")]
    #[schema(example = json!(["::1/128", "127.0.0.0/8"]))]
    insecure_cidrs: Vec<String>,
    /// The settings of individual registries, by host.
    #[schema(example = json!({"docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": true, "Official": true}}))]
    index_configs: BTreeMap<String, IndexInfo>,
    /// Mirrors of Docker Hub.
    #[schema(example = json!(["https://mirror.example/"]))]
    mirrors: Vec<String>,
}

/// The settings of one registry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct IndexInfo {
    /// The host of the registry, with its port if it has one.
    #[schema(example = "docker.io")]
    name: String,
    /// Mirrors that are tried before the registry.
    #[schema(example = json!(["https://mirror.example/"]))]
    mirrors: Vec<String>,
    /// Whether TLS with a valid certificate is required.
    secure: bool,
    /// Whether the registry is Docker Hub.
    official: bool,
}

impl RegistryServiceConfig {
    pub(super) fn new(settings: &Settings, shape: &SystemShape) -> Self {
        // A unit is written as `null`.
        let nondistributable = shape.nondistributable_artifacts.then_some(());
        let (networks, hosts): (Vec<_>, Vec<_>) = settings.insecure_registries.iter().partition(|one| is_network(one));
        let hub = IndexInfo {
            name: "docker.io".to_owned(),
            mirrors: settings.registry_mirrors.clone(),
            secure: true,
            official: true,
        };
        let insecure =
            |host: &String| IndexInfo { name: host.clone(), mirrors: vec![], secure: false, official: false };
        let mut index_configs: BTreeMap<_, _> = hosts.into_iter().map(|host| (host.clone(), insecure(host))).collect();
        index_configs.insert(hub.name.clone(), hub);
        // Registries on the loopback are insecure always.
        let mut insecure_cidrs = vec!["::1/128".to_owned(), "127.0.0.0/8".to_owned()];
        insecure_cidrs.extend(networks.into_iter().filter(|one| *one != "::1/128" && *one != "127.0.0.0/8").cloned());
        Self {
            nondistributable_cidrs: nondistributable,
            nondistributable_hosts: nondistributable,
            insecure_cidrs,
            index_configs,
            mirrors: settings.registry_mirrors.clone(),
        }
    }
}

/// Whether an insecure registry is a network in CIDR notation and not a host.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>()) else { return false };
    length <= if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests;
