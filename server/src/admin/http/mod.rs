//! The admin server and the metrics page: HTTP on the admin thread.
//!
//! - [`commands`] what each command tells, by stock's names; [`json`] how that is printed
//! - [`prometheus`] the page of metrics
//! - here: sockets and addresses. One request a connection, so that a silent peer costs no more
//!   than its time.
//!
//! **Invariants**: no more than [`CONNECTIONS_MAX`] peers are served at a time (guard: the
//! semaphore of [`serve`]), none for longer than it may be silent and [`ANSWER_TIMEOUT`].
//!
//! Not here: TLS, and the commands that take or restore a snapshot.

pub(super) mod commands;
pub(super) mod json;
pub(super) mod prometheus;
#[cfg(test)]
mod tests;

use super::answer::Desk;
use super::limits::{ANSWER_TIMEOUT, CONNECTIONS_MAX};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// What a port serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// The commands, below this path.
    Commands(String),
    /// The page of metrics.
    Metrics,
}

/// A port that was bound to, and what is served there.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) site: Site,
    /// How long a peer may leave its request out.
    pub(super) idle: Duration,
}

/// Serves a port for as long as the runtime lives.
pub(super) async fn serve(desk: Arc<Desk>, port: Port) {
    let Port { listener, site, idle } = port;
    let site = Arc::new(site);
    let is_ready = listener.set_nonblocking(true);
    let Ok(listener) = is_ready.and_then(|()| tokio::net::TcpListener::from_std(listener)) else {
        return tracing::error!(?site, "the port cannot be listened on");
    };
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!(%error, "an HTTP connection was lost before it was accepted");
                // Without descriptors the next attempt would fail at once.
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (desk, site) = (Arc::clone(&desk), Arc::clone(&site));
        tokio::spawn(async move {
            exchange(&desk, &site, idle, socket).await;
            drop(slot);
        });
    }
}

async fn exchange(desk: &Desk, site: &Site, idle: Duration, socket: TcpStream) {
    let answer = service_fn(|request| async move {
        let answered = answer(desk, site, &request).await;
        Ok::<_, Infallible>(answered)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), answer);
    match timeout(idle + ANSWER_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended early"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

async fn answer(desk: &Desk, site: &Site, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let found = match site {
        Site::Commands(url) => path.strip_prefix(url.as_str()),
        Site::Metrics => (path == "/metrics").then_some(""),
    };
    let Some(rest) = found.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return page(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n".to_owned());
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = page(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET is understood\n".to_owned(),
        );
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match site {
        Site::Metrics => {
            let told = prometheus::page(desk).await;
            page(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", told)
        }
        Site::Commands(url) => match rest.trim_start_matches('/') {
            "" => page(StatusCode::OK, "text/html", commands::index(url)),
            name => {
                let (status, told) = commands::run(desk, name, query).await;
                page(status, "application/json", json::print(&told))
            }
        },
    }
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
