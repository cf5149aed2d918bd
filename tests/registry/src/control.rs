//! The control listener: the methods of [`crate::TestRegistry`] as JSON over HTTP.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::image::{Image, Manifest, RepositoryBlob};
use crate::latency::Latency;
use crate::listener::TlsListener;
use crate::log::{LogEntry, LogFilter, WaitFor};
use crate::options::RepositoryOptions;
use crate::proxy::{Proxy, ProxySettings};
use crate::registry::State;
use crate::route::Route;

pub(crate) async fn run(socket: TcpListener, state: Arc<State>, stopped: CancellationToken) {
    let router = Router::new()
        .route("/images", post(add_image))
        .route("/blobs", post(add_blob))
        .route("/manifests", post(add_manifest))
        .route("/auth", put(set_auth))
        .route("/expire", post(expire_tokens))
        .route("/options", put(set_options))
        .route("/listeners", post(add_listener))
        .route("/routes", post(add_route).delete(delete_routes))
        .route("/proxy", put(set_proxy))
        .route("/proxies", post(add_proxy))
        .route("/latency", put(set_latency))
        .route("/log", get(log).delete(delete_log))
        .route("/wait", get(wait))
        .layer(DefaultBodyLimit::disable())
        .with_state(state);
    // It ends with an error never, and with the registry when `stopped`.
    let _ = stopped.run_until_cancelled(axum::serve(socket, router).into_future()).await;
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Start(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::File { .. } | Self::Invalid(_) => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

async fn add_image(Shared(state): Shared<Arc<State>>, Json(image): Json<Image>) -> Result<Json<Value>> {
    let digests = blocking(move || state.add_image(&image)).await?;
    Ok(Json(json!({"digests": digests})))
}

async fn add_blob(Shared(state): Shared<Arc<State>>, Json(blob): Json<RepositoryBlob>) -> Result<Json<Value>> {
    let descriptor = blocking(move || state.add_blob(&blob)).await?;
    Ok(Json(json!({"digest": descriptor.digest, "size": descriptor.size})))
}

/// Files are hashed, which would hold up the listeners.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::Invalid(error.to_string())))
}

async fn add_manifest(Shared(state): Shared<Arc<State>>, Json(manifest): Json<Manifest>) -> Result<Json<Value>> {
    let digest = manifest.store(&state.store)?;
    Ok(Json(json!({"digest": digest})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryAuth {
    repository: String,
    auth: Auth,
}

async fn set_auth(Shared(state): Shared<Arc<State>>, Json(of): Json<RepositoryAuth>) -> Result<StatusCode> {
    state.auth.set(&of.repository, of.auth)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionsOf {
    repository: String,
    options: RepositoryOptions,
}

async fn set_options(Shared(state): Shared<Arc<State>>, Json(of): Json<OptionsOf>) -> Result<StatusCode> {
    state.options.set(&of.repository, of.options)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_listener(Shared(state): Shared<Arc<State>>, Json(listener): Json<TlsListener>) -> Result<Json<Value>> {
    let address = state.add_tls_listener(&listener).await?;
    Ok(Json(json!({"address": address})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryName {
    repository: String,
}

async fn expire_tokens(Shared(state): Shared<Arc<State>>, Json(of): Json<RepositoryName>) -> StatusCode {
    state.auth.expire_tokens(&of.repository);
    StatusCode::NO_CONTENT
}

async fn add_route(Shared(state): Shared<Arc<State>>, Json(route): Json<Route>) -> Result<StatusCode> {
    state.routes.add(&route)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutePath {
    path: String,
}

async fn delete_routes(Shared(state): Shared<Arc<State>>, Query(of): Query<RoutePath>) -> StatusCode {
    state.routes.delete(&of.path);
    StatusCode::NO_CONTENT
}

async fn set_proxy(Shared(state): Shared<Arc<State>>, Json(proxy): Json<Proxy>) -> Result<StatusCode> {
    state.proxy.set(proxy)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_proxy(Shared(state): Shared<Arc<State>>, Json(proxy): Json<Proxy>) -> Result<Json<Value>> {
    let address = state.add_proxy(Arc::new(ProxySettings::new(proxy)?)).await?;
    Ok(Json(json!({"address": address})))
}

async fn set_latency(Shared(state): Shared<Arc<State>>, Json(latency): Json<Latency>) -> StatusCode {
    state.latency.set(latency);
    StatusCode::NO_CONTENT
}

async fn log(Shared(state): Shared<Arc<State>>, Query(filter): Query<LogFilter>) -> Json<Vec<LogEntry>> {
    Json(state.log.read(&filter))
}

async fn delete_log(Shared(state): Shared<Arc<State>>, Query(filter): Query<LogFilter>) -> Result<StatusCode> {
    if filter.repository.is_none() && filter.path.is_none() && filter.listener.is_none() {
        return Err(Error::Invalid("the log is shared: say which repository, path or listener".to_owned()));
    }
    state.log.delete(&filter);
    Ok(StatusCode::NO_CONTENT)
}

async fn wait(Shared(state): Shared<Arc<State>>, Query(wait): Query<WaitFor>) -> Result<Json<Value>> {
    let count = state.log.wait(&wait).await?;
    Ok(Json(json!({"count": count})))
}
