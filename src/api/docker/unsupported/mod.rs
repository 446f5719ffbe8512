//! What clients ask of an engine with containers: Loadline has none, nor networks, volumes, build caches, plugins or a
//! swarm.
//!
//! Lists are empty and prunes find nothing, so that `docker system prune` and dashboards work. A thing that is asked for
//! by name is missing, in Docker's own words, on which clients match. Making such things is not implemented.

pub mod lists;
mod thing;

use axum::extract::Path;
use http::Method;
use serde_json::{Value, json};

use self::thing::Thing;
use super::answer::{self, Answer};
use super::route::Route;
use super::versions::OLDEST;
use crate::domain::{Error, Kind};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;
const HEAD: Method = Method::HEAD;

/// Operations on one thing: it is missing. Their names may hold slashes, as in Docker Engine.
const MISSING: [(Method, &str, Thing); 43] = [
    (GET, "/containers/{name}/json", Thing::Container),
    (GET, "/containers/{name}/top", Thing::Container),
    (GET, "/containers/{name}/logs", Thing::Container),
    (GET, "/containers/{name}/changes", Thing::Container),
    (GET, "/containers/{name}/export", Thing::Container),
    (GET, "/containers/{name}/stats", Thing::Container),
    (POST, "/containers/{name}/resize", Thing::Container),
    (POST, "/containers/{name}/start", Thing::Container),
    (POST, "/containers/{name}/stop", Thing::Container),
    (POST, "/containers/{name}/restart", Thing::Container),
    (POST, "/containers/{name}/kill", Thing::Container),
    (POST, "/containers/{name}/update", Thing::Container),
    (POST, "/containers/{name}/rename", Thing::Container),
    (POST, "/containers/{name}/pause", Thing::Container),
    (POST, "/containers/{name}/unpause", Thing::Container),
    (POST, "/containers/{name}/attach", Thing::Container),
    (GET, "/containers/{name}/attach/ws", Thing::Container),
    (POST, "/containers/{name}/wait", Thing::Container),
    (DELETE, "/containers/{name}", Thing::Container),
    (HEAD, "/containers/{name}/archive", Thing::Container),
    (GET, "/containers/{name}/archive", Thing::Container),
    (PUT, "/containers/{name}/archive", Thing::Container),
    (POST, "/containers/{name}/exec", Thing::Container),
    (GET, "/containers/{name}/checkpoints", Thing::Container),
    (POST, "/containers/{name}/checkpoints", Thing::Container),
    (DELETE, "/containers/{name}/checkpoints/{checkpoint}", Thing::Container),
    (POST, "/exec/{name}/start", Thing::Exec),
    (POST, "/exec/{name}/resize", Thing::Exec),
    (GET, "/exec/{name}/json", Thing::Exec),
    (GET, "/volumes/{name}", Thing::Volume),
    (PUT, "/volumes/{name}", Thing::Volume),
    (DELETE, "/volumes/{name}", Thing::Volume),
    (GET, "/networks/{name}", Thing::Network),
    (DELETE, "/networks/{name}", Thing::Network),
    (POST, "/networks/{name}/connect", Thing::Network),
    (POST, "/networks/{name}/disconnect", Thing::Network),
    (GET, "/plugins/{name}/json", Thing::Plugin),
    (DELETE, "/plugins/{name}", Thing::Plugin),
    (POST, "/plugins/{name}/enable", Thing::Plugin),
    (POST, "/plugins/{name}/disable", Thing::Plugin),
    (POST, "/plugins/{name}/upgrade", Thing::Plugin),
    (POST, "/plugins/{name}/push", Thing::Plugin),
    (POST, "/plugins/{name}/set", Thing::Plugin),
];

/// Operations of swarm managers, which this node is none of.
const SWARM: [(Method, &str); 27] = [
    (GET, "/swarm"),
    (POST, "/swarm/update"),
    (GET, "/swarm/unlockkey"),
    (GET, "/nodes"),
    (GET, "/nodes/{id}"),
    (DELETE, "/nodes/{id}"),
    (POST, "/nodes/{id}/update"),
    (GET, "/services"),
    (POST, "/services/create"),
    (GET, "/services/{id}"),
    (DELETE, "/services/{id}"),
    (POST, "/services/{id}/update"),
    (GET, "/services/{id}/logs"),
    (GET, "/tasks"),
    (GET, "/tasks/{id}"),
    (GET, "/tasks/{id}/logs"),
    (GET, "/secrets"),
    (POST, "/secrets/create"),
    (GET, "/secrets/{id}"),
    (DELETE, "/secrets/{id}"),
    (POST, "/secrets/{id}/update"),
    (GET, "/configs"),
    (POST, "/configs/create"),
    (GET, "/configs/{id}"),
    (DELETE, "/configs/{id}"),
    (POST, "/configs/{id}/update"),
    (POST, "/swarm/unlock"),
];

/// Operations that make such things, and what it is that Loadline does not do.
const UNSERVED: [(Method, &str, &str); 14] = [
    (POST, "/containers/create", "run containers"),
    (POST, "/commit", "make images of containers"),
    (POST, "/build", "build images"),
    (POST, "/build/cancel", "build images"),
    (POST, "/session", "build images"),
    (POST, "/grpc", "build images"),
    (POST, "/networks/create", "make networks"),
    (POST, "/volumes/create", "keep volumes"),
    (GET, "/plugins/privileges", "run plugins"),
    (POST, "/plugins/pull", "run plugins"),
    (POST, "/plugins/create", "run plugins"),
    (POST, "/swarm/init", "take part in a swarm"),
    (POST, "/swarm/join", "take part in a swarm"),
    (POST, "/swarm/leave", "take part in a swarm"),
];

const NO_MANAGER: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to \
                          connect this node to swarm and try again.";

/// The operations that are only refused. Lists and prunes stand in the table of routes.
pub fn routes() -> Vec<Route> {
    let missing = MISSING.into_iter().map(|(method, path, thing)| {
        Route::new(method, path, OLDEST.., move |Path(names): Path<Vec<(String, String)>>| async move {
            // Every path of the table has a name.
            let name = names.into_iter().next().map(|(_, name)| name).unwrap_or_default();
            Answer::Err(thing.missing(&name).into())
        })
    });
    let swarm = SWARM.into_iter().map(|(method, path)| {
        // Dashboards ask again and again, so this is no failure for the log.
        Route::new(method, path, OLDEST.., async || answer::unlogged_refusal(Kind::Unavailable, NO_MANAGER))
    });
    let unserved = UNSERVED.into_iter().map(|(method, path, what)| {
        Route::new(method, path, OLDEST.., move || async move {
            let text = format!("Loadline serves images only: it does not {what}");
            Answer::Err(Error::new(Kind::NotImplemented, text).into())
        })
    });
    missing.chain(swarm).chain(unserved).collect()
}

/// The operations that are only refused, for the documents: by the status of their answer, as `METHOD /path`.
pub fn refused() -> Value {
    let list = |operations: &mut dyn Iterator<Item = (Method, &str)>| {
        operations.map(|(method, path)| format!("{method} {path}")).collect::<Vec<_>>()
    };
    json!({
        "404": list(&mut MISSING.into_iter().map(|(method, path, _)| (method, path))),
        "501": list(&mut UNSERVED.into_iter().map(|(method, path, _)| (method, path))),
        "503": list(&mut SWARM.into_iter()),
    })
}

#[cfg(test)]
mod tests;
