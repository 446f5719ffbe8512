//! `containerd.services.leases.v1`: what clients hold against collection.

use std::borrow::Cow;

use tonic::{Request, Response, Status};

use super::filter::{Fields, Filter, label_of};
use super::proto::containerd::services::leases::v1::leases_server::Leases;
use super::proto::containerd::services::leases::v1::{
    AddResourceRequest, CreateRequest, CreateResponse, DeleteRequest, DeleteResourceRequest, Lease, ListRequest,
    ListResourcesRequest, ListResourcesResponse, ListResponse, Resource,
};
use super::wire::timestamp;
use crate::api::error_table::status;
use crate::api::grpc::{GRPC_PLUGIN, Plugin};
use crate::domain::{Error, Result};
use crate::engine::{ClientLease, Engine, LeaseResource};

/// What this service stands in for.
pub const PLUGINS: &[Plugin] = &[
    Plugin { kind: GRPC_PLUGIN, id: "leases", requires: &[LEASE_PLUGIN] },
    Plugin { kind: LEASE_PLUGIN, id: "manager", requires: &[] },
];
const LEASE_PLUGIN: &str = "io.containerd.lease.v1";

/// The lease service.
pub struct LeaseService {
    engine: Engine,
}

impl LeaseService {
    /// The service over an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl Leases for LeaseService {
    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        let CreateRequest { id, labels } = request.into_inner();
        let id = Some(id).filter(|id| !id.is_empty());
        let lease = self.engine.create_lease(id, labels.into_iter().collect()).map_err(status)?;
        Ok(Response::new(CreateResponse { lease: Some(message(&lease)) }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        self.engine.delete_lease(&request.id, request.sync).await.map_err(status)?;
        Ok(Response::new(()))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        let leases = self.engine.leases().iter().filter(|lease| filter.matches(*lease)).map(message).collect();
        Ok(Response::new(ListResponse { leases }))
    }

    async fn add_resource(&self, request: Request<AddResourceRequest>) -> Result<Response<()>, Status> {
        let AddResourceRequest { id, resource } = request.into_inner();
        let resource = read(resource).map_err(status)?;
        self.engine.add_to_lease(&id, resource).await.map_err(status)?;
        Ok(Response::new(()))
    }

    async fn delete_resource(&self, request: Request<DeleteResourceRequest>) -> Result<Response<()>, Status> {
        let DeleteResourceRequest { id, resource } = request.into_inner();
        let resource = read(resource).map_err(status)?;
        self.engine.remove_from_lease(&id, &resource).map_err(status)?;
        Ok(Response::new(()))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let resources = self.engine.lease_resources(&request.into_inner().id).map_err(status)?;
        let message =
            |resource: &LeaseResource| Resource { id: resource.id().to_owned(), r#type: resource.kind().to_owned() };
        Ok(Response::new(ListResourcesResponse { resources: resources.iter().map(message).collect() }))
    }
}

fn read(resource: Option<Resource>) -> Result<LeaseResource> {
    let resource = resource.ok_or_else(|| Error::invalid("resource: it must be given"))?;
    LeaseResource::new(resource.r#type, resource.id)
}

fn message(lease: &ClientLease) -> Lease {
    Lease {
        id: lease.id.clone(),
        created_at: Some(timestamp(lease.created_at)),
        labels: lease.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

impl Fields for ClientLease {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        match (path[0].as_str(), &path[1..]) {
            ("id", _) => Some(Cow::Borrowed(&self.id)),
            ("labels", label) => self.labels.get(&label_of(label)).map(Cow::Borrowed),
            _ => None,
        }
    }
}
