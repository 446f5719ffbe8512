//! `containerd.services.namespaces.v1`: one store, which every namespace sees.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use super::proto::containerd::services::namespaces::v1::namespaces_server::Namespaces;
use super::proto::containerd::services::namespaces::v1::{
    CreateNamespaceRequest, CreateNamespaceResponse, DeleteNamespaceRequest, GetNamespaceRequest, GetNamespaceResponse,
    ListNamespacesRequest, ListNamespacesResponse, Namespace, UpdateNamespaceRequest, UpdateNamespaceResponse,
};
use crate::api::error_table::status;
use crate::api::grpc::{GRPC_PLUGIN, Plugin, excerpt};
use crate::domain::{Error, Kind, Result};

/// What this service stands in for.
pub const PLUGINS: &[Plugin] = &[Plugin { kind: GRPC_PLUGIN, id: "namespaces", requires: &[] }];

/// The names that clients look for: those of `ctr` and nerdctl, kubelet, and Docker.
const KNOWN: [&str; 3] = ["default", "k8s.io", "moby"];

/// The longest name that containerd lets a namespace have.
const MAX_NAME: usize = 76;

/// The namespace service.
pub struct NamespaceService;

#[tonic::async_trait]
impl Namespaces for NamespaceService {
    async fn get(&self, request: Request<GetNamespaceRequest>) -> Result<Response<GetNamespaceResponse>, Status> {
        let name = request.into_inner().name;
        if !is_name(&name) {
            let text = format!("namespace {:?}: letters, digits and single . _ - between them", excerpt(&name));
            return Err(status(Error::invalid(text)));
        }
        Ok(Response::new(GetNamespaceResponse { namespace: Some(message(name)) }))
    }

    async fn list(&self, _: Request<ListNamespacesRequest>) -> Result<Response<ListNamespacesResponse>, Status> {
        Ok(Response::new(ListNamespacesResponse { namespaces: KNOWN.map(message).into() }))
    }

    async fn create(&self, _: Request<CreateNamespaceRequest>) -> Result<Response<CreateNamespaceResponse>, Status> {
        Err(refused())
    }

    async fn update(&self, _: Request<UpdateNamespaceRequest>) -> Result<Response<UpdateNamespaceResponse>, Status> {
        Err(refused())
    }

    async fn delete(&self, _: Request<DeleteNamespaceRequest>) -> Result<Response<()>, Status> {
        Err(refused())
    }
}

fn refused() -> Status {
    let text = "namespaces cannot be changed: there is one store, and every namespace sees all of it";
    status(Error::new(Kind::PermissionDenied, text))
}

fn message(name: impl Into<String>) -> Namespace {
    Namespace { name: name.into(), labels: BTreeMap::new() }
}

/// Whether containerd would let a namespace have a name.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.len() <= MAX_NAME && name.split(['.', '_', '-']).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_those_of_containerd() {
        for name in ["default", "k8s.io", "a-b_c.D", "1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "a..b", "-a", "a-", "a/b", "a b", "é", &"a".repeat(77)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
