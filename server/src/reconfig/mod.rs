//! `ringkeeper reconfig`: changes the servers of a running ensemble, of ours, of ZooKeeper's or of
//! both, after it has said what would fail.
//!
//! - `args`, `error`: the command line, and why it fails;
//! - `session`: the one client;
//! - `look`: what the servers are, as they say themselves;
//! - `hurdle`: what that means for the change.
//!
//! The rules are the leader's own ([`engine::reconfigure`]); what it knows is asked for from
//! outside, so the leader has the last word.

mod args;
mod error;
mod hurdle;
mod look;
mod session;

pub use args::ReconfigArgs;
pub use error::ReconfigError;

use engine::settings::ReconfigSettings;
use engine::zab::Configuration;
use hurdle::Hurdle;
use look::Members;
use model::peer::membership::{Member, Membership, Reading};
use model::request::Reconfig;
use model::server::ServerId;
use model::zxid::Zxid;
use session::{Change, NO_VERSION, Session};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::sync::Arc;

/// `ringkeeper reconfig`: says on `out` what would fail, and changes the ensemble if nothing does.
///
/// # Errors
/// Something stands in the way, or the change failed.
pub fn reconfig(args: &ReconfigArgs, out: &mut impl Write) -> Result<(), ReconfigError> {
    let change = Change::of(args)?;
    let from = from_version(args)?;
    let mut session = Session::open(&args.servers)?;
    for text in &args.auth {
        session.authenticate(text)?;
    }
    let current = Arc::new(read(&mut session)?);
    let from = from.unwrap_or(current.version());
    let plan = Plan::make(&mut session, current, &change, from, &args.servers)?;
    plan.print(out).map_err(ReconfigError::Output)?;
    let in_the_way = plan.hurdles.iter().filter(|it| it.is_in_the_way()).count();
    if in_the_way > 0 {
        session.close();
        return Err(ReconfigError::InTheWay(in_the_way));
    }
    if change == Change::default() || args.dry_run {
        session.close();
        return if change == Change::default() {
            Ok(())
        } else {
            writeln!(out, "\nNothing is in the way: run it without --dry-run.")
                .map_err(ReconfigError::Output)
        };
    }
    let answer = session.change(&change, from)?;
    if answer.code() != 0 {
        let (server, what) = (session.server.clone(), "the change");
        return Err(ReconfigError::Refused { server, what, code: error::named(answer.code()) });
    }
    let text = answer.data();
    session.close();
    writeln!(out, "\nThe configuration is now:\n{}", String::from_utf8_lossy(&text))
        .map_err(ReconfigError::Output)
}

/// A change and what was found about it.
struct Plan {
    current: Arc<Configuration>,
    /// The servers afterwards; `None` if it cannot be.
    next: Option<Configuration>,
    seen: Members,
    hurdles: Vec<Hurdle>,
}

impl Plan {
    fn make(
        session: &mut Session,
        current: Arc<Configuration>,
        change: &Change,
        from: i64,
        given: &[String],
    ) -> Result<Self, ReconfigError> {
        let mut hurdles = Vec::new();
        let refused = session.change(change, NO_VERSION)?;
        hurdles.extend(Hurdle::of_change(refused.code()));
        let refused = session.write_in_vain()?;
        hurdles.extend(Hurdle::of_write(refused.code()));
        let mut members = current.membership().members().clone();
        members.extend(change.joining(&current));
        let seen = Members::ask(&members, given);
        let mut next = None;
        match seen.standing(&current) {
            None => {
                hurdles.push(Hurdle::NoLeader);
                Hurdle::of_servers(&current, &current, &seen, &mut hurdles);
            }
            Some(standing) if *change != Change::default() => {
                let settings = settings(&current);
                let after = Zxid(current.version() + 1);
                match engine::reconfigure::next(&standing, &settings, &change.request(from), after)
                {
                    Ok(it) => {
                        Hurdle::of_servers(&current, &it, &seen, &mut hurdles);
                        next = Some(it);
                    }
                    Err(refusal) => hurdles.push(Hurdle::Refused(refusal)),
                }
            }
            Some(_) => Hurdle::of_servers(&current, &current, &seen, &mut hurdles),
        }
        Ok(Self { current, next, seen, hurdles })
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let before = self.current.membership().members();
        let after = self.next.as_ref().map_or(before, |it| it.membership().members());
        writeln!(out, "version {:x}", self.current.version())?;
        let mut ids: Vec<ServerId> = before.keys().chain(after.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let (was, is) = (before.get(&id), after.get(&id));
            if let Some(was) = was {
                let sign = if is == Some(was) { ' ' } else { '-' };
                self.print_member(sign, id, was, out)?;
            }
            if let Some(is) = is.filter(|_| is != was) {
                self.print_member('+', id, is, out)?;
            }
        }
        if !self.hurdles.is_empty() {
            writeln!(out)?;
        }
        for hurdle in &self.hurdles {
            let kind = if hurdle.is_in_the_way() { "in the way" } else { "note" };
            writeln!(out, "{kind}: {hurdle}")?;
        }
        Ok(())
    }

    fn print_member(
        &self,
        sign: char,
        id: ServerId,
        member: &Member,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mode = self.seen.mode(id).map_or_else(|_| "not known".to_owned(), |it| it.to_string());
        writeln!(out, "{sign} server.{id}={member}  ({mode})")
    }
}

impl Change {
    fn of(args: &ReconfigArgs) -> Result<Self, ReconfigError> {
        let listed = |texts: &[String]| (!texts.is_empty()).then(|| texts.join(","));
        let members = match &args.members {
            None => None,
            Some(path) => {
                let text = fs::read_to_string(path);
                Some(text.map_err(|error| ReconfigError::File(path.clone(), error))?)
            }
        };
        Ok(Self { joining: listed(&args.add), leaving: listed(&args.remove), members })
    }

    fn request(&self, from: i64) -> Reconfig<'_> {
        Reconfig {
            joining: self.joining.as_deref().map(str::as_bytes),
            leaving: self.leaving.as_deref().map(str::as_bytes),
            members: self.members.as_deref().map(str::as_bytes),
            from,
        }
    }

    /// The servers that it names, where their lines can be read.
    fn joining(&self, current: &Configuration) -> BTreeMap<ServerId, Member> {
        let reading = settings(current).reading;
        if let Some(members) = &self.members {
            let parsed = Membership::parse(members.replace(',', "\n").as_bytes(), reading);
            return parsed.map(|it| it.members().clone()).unwrap_or_default();
        }
        let lines = self.joining.as_deref().unwrap_or_default().split(',');
        let members = lines.filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let id = key.trim().strip_prefix("server.")?.parse().ok()?;
            Some((ServerId(id), Member::read(value.trim(), reading.is_multi).ok()?))
        });
        members.collect()
    }
}

/// The leader's settings, as far as they can be known from outside. Whether an ensemble may shrink
/// to one server cannot.
fn settings(current: &Configuration) -> ReconfigSettings {
    let mut members = current.membership().members().values();
    let is_multi = members.any(|member| member.addresses().len() > 1);
    let reading = Reading { is_multi, has_groups: true };
    ReconfigSettings { is_enabled: true, is_standalone_allowed: false, reading }
}

fn from_version(args: &ReconfigArgs) -> Result<Option<i64>, ReconfigError> {
    let Some(text) = &args.from_version else { return Ok(None) };
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let version = i64::from_str_radix(digits, 16).ok().filter(|it| *it >= 0);
    version.map(Some).ok_or_else(|| ReconfigError::FromVersion(text.clone()))
}

fn read(session: &mut Session) -> Result<Configuration, ReconfigError> {
    let text = session.configuration()?;
    Configuration::parse(&text)
        .ok_or_else(|| ReconfigError::NoConfiguration(session.server.clone()))
}
