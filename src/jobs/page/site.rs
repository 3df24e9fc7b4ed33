//! Which address answers what.

use std::sync::Arc;

use ::http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use sterna_backends::Timestamp;

use super::{
    answer,
    api::{Everything, Runs},
    door::{Door, Visitor, is_from_here},
    html::{self, Around, Hand, Tried},
    http::{Handler, Request, Response},
    log, metrics,
    stand::Stand,
    tunasync::Mirror,
};
use crate::{
    history::{HistoryError, JobRunId},
    jobs::{
        JobStatus, Month, RunRecord, Saved,
        daemon::{Board, Order, Snapshot},
    },
};

/// Runs that a job's page shows.
const SHOWN: usize = 60;

/// Runs that the JSON interface gives at once, at most.
const MOST: usize = 1000;

/// The site.
pub struct Site {
    board: Arc<Board>,
    door: Door,
    version: &'static str,
}

/// Why a request has no answer of its own.
enum Miss {
    NotFound,
    NotAllowed(&'static str),
    Forbidden(&'static str),
    Blind(HistoryError),
}

impl From<HistoryError> for Miss {
    fn from(error: HistoryError) -> Self {
        Self::Blind(error)
    }
}

type Answer = Result<Response, Miss>;

impl Handler for Site {
    fn answer(&self, request: Request) -> Response {
        answer::guarded(self.reply(&request))
    }
}

/// One request, looked at.
struct Visit<'a> {
    request: &'a Request,
    visitor: Visitor,
    now: Timestamp,
}

impl Visit<'_> {
    /// A field of a form.
    fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(self.request.body());
        fields.find_map(|(field, value)| (field == name).then(|| value.into_owned()))
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.request.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find_map(|(field, value)| (field == name).then(|| value.into_owned()))
    }
}

impl Site {
    /// A site of what `board` says, behind `door`; `version` is sterna's.
    #[must_use]
    pub fn new(board: Arc<Board>, door: Door, version: &'static str) -> Self {
        Self { board, door, version }
    }

    fn reply(&self, request: &Request) -> Response {
        if !self.door.is_known_by(request.headers()) {
            let why = "this server is not known by that name; --allow-host NAME makes it so\n";
            return answer::text(StatusCode::MISDIRECTED_REQUEST, why);
        }
        let decoded: Option<Vec<String>> = request
            .uri()
            .path()
            .split('/')
            .skip(1)
            .map(|part| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned()))
            .collect();
        let Some(parts) = decoded else { return answer::text(StatusCode::BAD_REQUEST, "the address is not UTF-8\n") };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let now = Timestamp::now();
        let visit = Visit { request, visitor: self.door.visitor(request.headers(), now), now };
        let looks = matches!(*request.method(), Method::GET | Method::HEAD);
        let machine = matches!(parts[0], "api" | "metrics");
        let is_open = matches!(parts[..], ["healthz" | "sign-in"] | ["static", "tunasync.json"]);
        if !is_open && !visit.visitor.may_look() {
            return if machine || !looks { unauthorised() } else { answer::see("/sign-in") };
        }
        let answered = match *request.method() {
            Method::GET | Method::HEAD => self.show(&visit, &parts),
            Method::POST => self.act(&visit, &parts),
            _ => Err(Miss::NotAllowed("GET, HEAD, POST")),
        };
        answered.unwrap_or_else(|miss| self.miss(&visit, machine, &miss))
    }

    fn show(&self, visit: &Visit<'_>, parts: &[&str]) -> Answer {
        match parts {
            [""] => {
                let jobs = self.jobs(visit)?;
                Ok(self.page(visit, |around| html::overview(around, &jobs)))
            }
            ["jobs", name] => self.job(visit, name),
            ["jobs", name, "runs", id] => {
                let record = self.record(name, id)?;
                let log = log::end(record.log.as_deref());
                Ok(self.page(visit, |around| html::run(around, &record, &log)))
            }
            ["jobs", name, "runs", id, "log"] => {
                let path = self.record(name, id)?.log.ok_or(Miss::NotFound)?;
                let log = log::whole(&path).map_err(|_| Miss::NotFound)?;
                Ok(answer::text(StatusCode::OK, log))
            }
            ["sign-in"] => Ok(self.page(visit, |around| html::sign_in(around, Tried::Not))),
            ["healthz"] => self.health(),
            ["static", "tunasync.json"] => self.tunasync(visit),
            ["metrics"] => self.metrics(visit),
            ["api", "v1", "jobs"] => {
                let (snapshot, statuses) = (self.board.snapshot(), self.board.statuses(visit.now)?);
                Ok(answer::json(StatusCode::OK, &Everything::of(self.version, visit.now, &snapshot, &statuses)))
            }
            ["api", "v1", "jobs", name] => {
                let statuses = self.board.statuses(visit.now)?;
                let status = statuses.iter().find(|status| status.name == *name).ok_or(Miss::NotFound)?;
                Ok(answer::json(StatusCode::OK, status))
            }
            ["api", "v1", "jobs", name, "runs"] => {
                self.known(name)?;
                let most = visit.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SHOWN).min(MOST);
                let runs = self.board.history(|history| history.job_runs(Some(name), most))?;
                Ok(answer::json(StatusCode::OK, &Runs { runs: &runs }))
            }
            ["api", "v1", "jobs", name, "runs", id] => Ok(answer::json(StatusCode::OK, &self.record(name, id)?)),
            ["sign-out"]
            | ["jobs", _, "run" | "pause" | "resume"]
            | ["api", "v1", "jobs", _, "run" | "pause" | "resume"] => Err(Miss::NotAllowed("POST")),
            _ => Err(Miss::NotFound),
        }
    }

    fn act(&self, visit: &Visit<'_>, parts: &[&str]) -> Answer {
        let headers = visit.request.headers();
        match parts {
            ["sign-in"] => return self.sign_in(visit),
            ["sign-out"]
            | ["jobs", _, "run" | "pause" | "resume"]
            | ["api", "v1", "jobs", _, "run" | "pause" | "resume"] => {}
            _ => return Err(self.show(visit, parts).map_or_else(|miss| miss, |_| Miss::NotAllowed("GET, HEAD"))),
        }
        if !self.door.lets_act(&visit.visitor, headers, visit.field("word").as_deref()) {
            return Err(Miss::Forbidden(match visit.visitor {
                Visitor::SignedIn(_) => "the form is not of this page, or of an earlier session; load the page again",
                _ => "that takes the token of --token-file",
            }));
        }
        match parts {
            ["jobs", name, action] => {
                self.order(name, action, visit.now)?;
                Ok(answer::see(&html::job_address(name)))
            }
            ["api", "v1", "jobs", name, action] => {
                self.order(name, action, visit.now)?;
                Ok(answer::json(StatusCode::ACCEPTED, &serde_json::json!({ "job": name, "accepted": action })))
            }
            _ => {
                let word = visit.field("word").unwrap_or_default();
                Ok(with_cookie(answer::see("/"), &self.door.sign_out(&word)))
            }
        }
    }

    fn order(&self, name: &str, action: &str, now: Timestamp) -> Result<(), Miss> {
        self.known(name)?;
        let order = match action {
            "run" => Order::Run(name.to_owned()),
            "pause" => {
                self.board.history(|history| history.pause_job(name, now))?;
                Order::Look
            }
            _ => {
                self.board.history(|history| history.resume_job(name))?;
                Order::Look
            }
        };
        self.board.order(order);
        Ok(())
    }

    fn sign_in(&self, visit: &Visit<'_>) -> Answer {
        if !is_from_here(visit.request.headers()) {
            return Err(Miss::Forbidden("the form is not of this page"));
        }
        match self.door.sign_in(&visit.field("token").unwrap_or_default(), visit.now) {
            Ok(Some(cookie)) => Ok(with_cookie(answer::see("/"), &cookie)),
            Ok(None) => {
                let mut response = self.page(visit, |around| html::sign_in(around, Tried::Wrong));
                *response.status_mut() = StatusCode::FORBIDDEN;
                Ok(response)
            }
            Err(error) => Ok(answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))),
        }
    }

    fn job(&self, visit: &Visit<'_>, name: &str) -> Answer {
        let jobs = self.jobs(visit)?;
        let stand = jobs.iter().find(|stand| stand.status.name == name).ok_or(Miss::NotFound)?;
        let runs = self.board.history(|history| history.job_runs(Some(name), SHOWN))?;
        Ok(self.page(visit, |around| html::job(around, stand, &runs)))
    }

    fn record(&self, name: &str, id: &str) -> Result<RunRecord, Miss> {
        let id = JobRunId(id.parse().map_err(|_| Miss::NotFound)?);
        let record = self.board.history(|history| history.job_run(id))?;
        record.filter(|record| record.job == name).ok_or(Miss::NotFound)
    }

    fn known(&self, name: &str) -> Result<(), Miss> {
        if self.board.snapshot().jobs.contains_key(name) { Ok(()) } else { Err(Miss::NotFound) }
    }

    fn health(&self) -> Answer {
        self.board.history(|history| history.job_runs(None, 1))?;
        let word = if self.board.snapshot().draining { "draining\n" } else { "ok\n" };
        Ok(answer::text(StatusCode::OK, word))
    }

    fn tunasync(&self, visit: &Visit<'_>) -> Answer {
        let statuses = self.board.statuses(visit.now)?;
        let mirrors = self.board.history(|history| {
            statuses
                .iter()
                .map(|status| Ok(Mirror::of(status, &history.job_runs(Some(&status.name), 2)?)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(answer::json(StatusCode::OK, &mirrors))
    }

    fn metrics(&self, visit: &Visit<'_>) -> Answer {
        let (snapshot, jobs) = (self.board.snapshot(), self.jobs(visit)?);
        Ok(match metrics::text(self.version, &snapshot, &jobs) {
            Ok(text) => answer::of(StatusCode::OK, metrics::KIND, text),
            Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        })
    }

    /// How each job stands, and what its runs came to this month.
    fn jobs(&self, visit: &Visit<'_>) -> Result<Vec<Stand>, HistoryError> {
        let (jobs, statuses) = (self.board.snapshot().jobs, self.board.statuses(visit.now)?);
        let known = statuses.into_iter().filter_map(|status| Some((Arc::clone(jobs.get(&status.name)?), status)));
        self.board.history(|history| {
            let of = |(job, status): (Arc<Saved>, JobStatus)| {
                Ok(Stand { month: Month::of(history, &job, visit.now)?, job, status })
            };
            known.map(of).collect()
        })
    }

    fn page(&self, visit: &Visit<'_>, make: impl FnOnce(&Around<'_>) -> String) -> Response {
        let snapshot = self.board.snapshot();
        answer::page(StatusCode::OK, make(&self.around(visit, &snapshot)))
    }

    fn around<'a>(&self, visit: &'a Visit<'_>, snapshot: &'a Snapshot) -> Around<'a> {
        let hand = match &visit.visitor {
            Visitor::SignedIn(word) => Hand::SignedIn(word),
            _ if self.door.has_token() => Hand::SignedOut,
            _ => Hand::Nobody,
        };
        Around { version: self.version, now: visit.now, snapshot, hand }
    }

    fn miss(&self, visit: &Visit<'_>, machine: bool, miss: &Miss) -> Response {
        let (status, words) = match miss {
            Miss::NotFound => (StatusCode::NOT_FOUND, "There is nothing at this address.".to_owned()),
            Miss::NotAllowed(allowed) => {
                (StatusCode::METHOD_NOT_ALLOWED, format!("This address takes {allowed} only."))
            }
            Miss::Forbidden(why) => (StatusCode::FORBIDDEN, format!("Not done: {why}.")),
            Miss::Blind(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("The history cannot be read: {error}")),
        };
        let mut response = if machine {
            answer::error(status, &words)
        } else if visit.request.uri().path() == "/healthz" {
            answer::text(status, words + "\n")
        } else {
            let snapshot = self.board.snapshot();
            answer::page(status, html::message(&self.around(visit, &snapshot), &words))
        };
        if let Miss::NotAllowed(allowed) = miss {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

fn unauthorised() -> Response {
    let mut response = answer::error(StatusCode::UNAUTHORIZED, "that takes the token of --token-file");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
