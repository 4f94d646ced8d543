//! The admin server and the metrics page: HTTP on the admin thread.
//!
//! - [`commands`] what each command reports, under stock's names; `ensemble` those about an
//!   ensemble; `moving` those that lead clients to other servers; [`json`] how that is printed
//! - [`prometheus`] the page of metrics; `admission` which connections a port admits
//! - here: sockets and addresses. One request per connection, so that a silent peer costs no more
//!   than its timeout.
//!
//! **Invariants**: no more than [`CONNECTIONS_MAX`] peers are connected at a time, and one that
//! sends a request does not wait for silent ones (guard: `admission`); an answer holds memory until
//! its peer has read it or is disconnected (guard: `admin::room`).
//!
//! Not here: TLS, and the commands that take or restore a snapshot.

mod admission;
pub(super) mod command;
pub(super) mod commands;
mod ensemble;
pub(super) mod json;
mod moving;
pub(super) mod prometheus;
#[cfg(test)]
mod tests;

use super::answer::Desk;
use super::limits::{CONNECTIONS_MAX, FORM_BYTES_MAX, LARGE_REQUESTS_WAITING_MAX, ORDER_BYTES_MAX};
use super::room::{Held, Size};
use admission::{Admission, Permit};
use command::Command;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::Names;
use std::convert::Infallible;
use std::net::{IpAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{interval, sleep, timeout};

/// How often to check whether a connection is overdue.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a port serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// The commands, below this path.
    Commands(String),
    /// The page of metrics.
    Metrics,
}

/// A bound port, and what is served there.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) site: Site,
    /// How long a peer may take to send its request.
    pub(super) idle: Duration,
}

/// An answer, with the memory that it holds.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    text: String,
    held: Held,
    allow: Option<&'static str>,
}

/// Serves a port for as long as the runtime lives.
pub(super) async fn serve(desk: Arc<Desk>, port: Port) {
    let Port { listener, site, idle } = port;
    let site = Arc::new(site);
    let is_ready = listener.set_nonblocking(true);
    let Ok(listener) = is_ready.and_then(|()| tokio::net::TcpListener::from_std(listener)) else {
        return tracing::error!(?site, "cannot listen on the port");
    };
    let admission = Admission::new(CONNECTIONS_MAX);
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "an HTTP connection was lost before it was accepted");
                // If descriptors have run out, the next attempt would fail at once.
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let permit = admission.admit().await;
        let (desk, site) = (Arc::clone(&desk), Arc::clone(&site));
        tokio::spawn(async move {
            exchange(&desk, (&site, idle), (socket, peer.ip()), &permit).await;
        });
        // A request that was already sent is registered before the next connection arrives.
        tokio::task::yield_now().await;
    }
}

async fn exchange(
    desk: &Desk,
    (site, idle): (&Site, Duration),
    (socket, peer): (TcpStream, IpAddr),
    permit: &Permit,
) {
    let held = OnceLock::new();
    let answer = service_fn(|request| {
        let held = &held;
        async move {
            permit.request_received();
            let answer = answer(desk, (site, idle), request, peer).await;
            permit.answer_ready();
            Ok::<_, Infallible>(answer.response(held))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .keep_alive(false)
        // A client may end its side right behind its request, as `nc -N` does.
        .half_close(true)
        .serve_connection(TokioIo::new(socket), answer);
    let (mut connection, mut look) = (pin!(connection), interval(LOOK_EVERY));
    let nothing = Held::none();
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP connection ended early");
                }
                return;
            }
            () = permit.evicted() => {
                return tracing::debug!("an idle HTTP connection was closed to admit another one");
            }
            _ = look.tick() => {
                if permit.is_overdue(held.get().unwrap_or(&nothing)) {
                    return tracing::debug!("an HTTP connection took too long");
                }
            }
        }
    }
}

impl Answer {
    fn new(status: StatusCode, kind: &'static str, text: impl Into<String>) -> Self {
        Self { status, kind, text: text.into(), held: Held::none(), allow: None }
    }

    fn holding(mut self, mut held: Held) -> Self {
        self.text.shrink_to_fit();
        held.shrink(self.text.len());
        self.held = held;
        self
    }

    /// No text, and the allowed methods.
    fn allowing(status: StatusCode, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..Self::new(status, "", "") }
    }

    /// The response; the memory that it holds moves to `held`, until its connection has ended.
    fn response(self, held: &OnceLock<Held>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.kind.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // One request per connection: the cell is still empty.
        held.set(self.held).ok();
        response
    }
}

async fn answer(
    desk: &Desk,
    (site, idle): (&Site, Duration),
    request: Request<Incoming>,
    peer: IpAddr,
) -> Answer {
    let path = request.uri().path();
    let found = match site {
        Site::Commands(url) => path.strip_prefix(url.as_str()),
        Site::Metrics => (path == "/metrics").then_some(""),
    };
    let Some(rest) = found.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Answer::new(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n");
    };
    match site {
        Site::Metrics => match *request.method() {
            Method::GET | Method::HEAD | Method::POST => metrics(desk, request, idle).await,
            ref method => without_page(method, "GET, HEAD, POST, TRACE, OPTIONS"),
        },
        Site::Commands(url) => match *request.method() {
            Method::GET | Method::HEAD => match rest.trim_start_matches('/') {
                "" => Answer::new(StatusCode::OK, "text/html", commands::index(url)),
                name if Command::named(name) == Some(Command::ShedConnections) => {
                    let (status, text) = moving::refuse(desk, name, caller(&request, peer)).await;
                    Answer::new(status, "application/json", text)
                }
                name => command(desk, name, request.uri().query().unwrap_or_default()).await,
            },
            Method::POST if posted(rest).is_some() => {
                let name = rest.trim_start_matches('/').to_owned();
                post(desk, &name, request, peer, idle).await
            }
            Method::POST => Answer {
                allow: Some("GET, HEAD, OPTIONS"),
                ..Answer::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "text/plain",
                    "only GET is understood\n",
                )
            },
            ref method => without_page(method, "GET, HEAD, OPTIONS"),
        },
    }
}

/// Methods that stock answers without a text.
fn without_page(method: &Method, allowed: &'static str) -> Answer {
    match *method {
        Method::OPTIONS => Answer::allowing(StatusCode::OK, allowed),
        Method::PUT | Method::DELETE => Answer::allowing(StatusCode::METHOD_NOT_ALLOWED, allowed),
        Method::TRACE => Answer::new(StatusCode::FORBIDDEN, "", ""),
        _ => Answer::new(StatusCode::NOT_IMPLEMENTED, "", ""),
    }
}

async fn command(desk: &Desk, asked: &str, query: &str) -> Answer {
    let size = commands::size(asked);
    let is_crowded =
        size == Size::Large && desk.rooms.waiting_for_large() >= LARGE_REQUESTS_WAITING_MAX;
    let held = if is_crowded { None } else { desk.rooms.enter(size).await.ok() };
    let Some(mut held) = held else {
        let why = "too many large answers are asked for and not taken; ask again";
        return Answer::new(StatusCode::SERVICE_UNAVAILABLE, "text/plain", format!("{why}\n"));
    };
    let (status, text) = commands::run(desk, asked, query, &mut held).await;
    Answer::new(status, "application/json", text).holding(held)
}

/// The command that is posted, if it can be.
fn posted(rest: &str) -> Option<Command> {
    Command::named(rest.trim_start_matches('/')).filter(|command| command.takes_post())
}

/// Who sends a request, as far as it says.
fn caller(request: &Request<Incoming>, peer: IpAddr) -> moving::Claim {
    let header = request.headers().get(AUTHORIZATION);
    let text = header.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
    moving::Claim { peer, text }
}

/// A command with a body.
async fn post(
    desk: &Desk,
    asked: &str,
    request: Request<Incoming>,
    peer: IpAddr,
    idle: Duration,
) -> Answer {
    let claim = caller(&request, peer);
    // Read in any case: a peer whose body is not read may lose the answer.
    let body = Limited::new(request.into_body(), ORDER_BYTES_MAX).collect();
    let body = match timeout(idle, body).await {
        Ok(Ok(body)) => Some(body.to_bytes()),
        _ => None,
    };
    let (status, text) = moving::run(desk, asked, claim, body.as_deref()).await;
    Answer::new(status, "application/json", text)
}

/// The page of metrics, or the part of it that is requested by `name[]`, in the address or in a
/// form.
async fn metrics(desk: &Desk, request: Request<Incoming>, idle: Duration) -> Answer {
    let mut names = Names::default();
    names.add(request.uri().query().unwrap_or_default().as_bytes());
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if *request.method() == Method::POST
        && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        let form = Limited::new(request.into_body(), FORM_BYTES_MAX).collect();
        let Ok(Ok(form)) = timeout(idle, form).await else {
            return Answer::new(
                StatusCode::BAD_REQUEST,
                "text/plain",
                format!("the form was not received, or has more than {FORM_BYTES_MAX} bytes\n"),
            );
        };
        names.add(&form.to_bytes());
    }
    let page = match desk.rooms.enter(Size::Metrics).await {
        Ok(mut held) => {
            let page = prometheus::page(desk, names, &mut held).await;
            page.ok().map(|page| (page, held))
        }
        Err(_) => None,
    };
    match page {
        Some((page, held)) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            Answer::new(StatusCode::OK, kind, page).holding(held)
        }
        None => Answer::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            "the server does not answer; ask again\n",
        ),
    }
}
