//! Every operation of the REST API in one table, from which the router and the OpenAPI documents are made.

use http::Method;
use utoipa::OpenApi;

use super::render::usage::UsageType;
use super::route::Route;
use super::{content, images, registry, system, unsupported};

/// Makes a route and a document entry of each row.
macro_rules! table {
    ($($method:ident $path:literal $versions:expr => $($handler:ident)::+;)+) => {
        /// The operations of the table.
        pub fn documented() -> Vec<Route> {
            vec![$(Route::new(Method::$method, $path, $versions, $($handler)::+)),+]
        }

        /// The documents of the same operations, as their handlers describe them.
        #[derive(OpenApi)]
        #[openapi(paths($($($handler)::+),+), components(schemas(UsageType)))]
        pub(super) struct Documents;
    };
}

table! {
    // method path                  API 1.x  handler
    GET    "/_ping"                       24.. => system::ping::system_ping;
    HEAD   "/_ping"                       24.. => system::ping::system_ping_head;
    GET    "/version"                     24.. => system::version::version;
    GET    "/info"                        24.. => system::info::info;
    GET    "/events"                      24.. => system::events::events;
    GET    "/system/df"                   25.. => system::disk_usage::disk_usage;

    GET    "/images/json"                 24.. => images::list::image_list;
    GET    "/images/{name}/json"          24.. => images::inspect::image_inspect;
    GET    "/images/{name}/history"       24.. => images::history::image_history;
    GET    "/images/{name}/attestations"  55.. => images::attestations::image_attestations;
    GET    "/images/{name}/get"           24.. => images::save::image_get;
    GET    "/images/get"                  24.. => images::save::image_get_all;
    POST   "/images/load"                 24.. => images::load::image_load;
    POST   "/images/create"               24.. => images::create::image_create;
    GET    "/images/search"               24.. => images::search::image_search;
    POST   "/images/{name}/push"          24.. => images::push::image_push;
    POST   "/images/{name}/tag"           24.. => images::tag::image_tag;
    DELETE "/images/{name}"               24.. => images::remove::image_delete;
    POST   "/images/{name}/verify"        55.. => images::verify::image_verify;
    POST   "/images/prune"                25.. => images::prune::image_prune;

    GET    "/content/{digest}"            55.. => content::content_read;
    HEAD   "/content/{digest}"            55.. => content::content_head;

    GET    "/distribution/{name}/json"    30.. => registry::distribution::distribution_inspect;
    POST   "/auth"                        24.. => registry::auth::system_auth;

    GET    "/containers/json"             24.. => unsupported::lists::container_list;
    POST   "/containers/prune"            25.. => unsupported::lists::container_prune;
    GET    "/volumes"                     24.. => unsupported::lists::volume_list;
    POST   "/volumes/prune"               25.. => unsupported::lists::volume_prune;
    GET    "/networks"                    24.. => unsupported::lists::network_list;
    POST   "/networks/prune"              25.. => unsupported::lists::network_prune;
    POST   "/build/prune"                 31.. => unsupported::lists::build_prune;
    GET    "/plugins"                     24.. => unsupported::lists::plugin_list;
}

/// Everything that is routed: the table, and the operations that are only refused, which no document shows.
pub fn routes() -> Vec<Route> {
    let mut routes = documented();
    routes.extend(unsupported::routes());
    routes
}
