//! What a stock server wants done while it follows is done.

use super::World;
use crate::Place;
use crate::checks::{State, Violation};
use crate::disk::Operation;
use crate::network::{Frame, Side};
use crate::server::{Body, stock_zab};
use crate::stock::Stock;
use crate::stock::follower::{Act, Context, End, Follower, Step};
use engine::zab::{CloseReason, Effect, Event};
use model::peer::notification::ServerState;
use model::peer::packet::{FromLearner, LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::zxid::Zxid;

impl World {
    /// A stock server was elected to follow: its `Zab` has no word any more.
    pub(super) fn stock_follows(
        &mut self,
        place: Place,
        leader: ServerId,
    ) -> Result<(), Violation> {
        let now_ms = self.now_us / 1_000;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let (notice, epochs) = (running.zab().notice(), running.zab().epochs());
        let Some(Stock { last, following, attempts }) = &mut running.stock else { return Ok(()) };
        let (states, mut acts) = (&mut running.memory, Vec::new());
        let mut context = Context { now_ms, states, last, attempts, acts: &mut acts };
        *following = Some(Follower::begin(leader, notice, epochs, &mut context));
        self.act(place, acts)
    }

    /// One step of a stock follower, and what follows from it.
    fn stock_step(
        &mut self,
        place: Place,
        step: impl FnOnce(&mut Follower, &mut Context<'_>) -> Result<(), End>,
    ) -> Result<(), Violation> {
        let now_ms = self.now_us / 1_000;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let Some(Stock { last, following: Some(follower), attempts }) = &mut running.stock else {
            return Ok(());
        };
        let (states, mut acts) = (&mut running.memory, Vec::new());
        let mut context = Context { now_ms, states, last, attempts, acts: &mut acts };
        let done = step(follower, &mut context);
        self.act(place, acts)?;
        match done {
            Ok(()) => Ok(()),
            Err(End::Lost) => self.stock_loses(place),
            Err(End::Wronged(what)) => Err(Violation::Wronged { place, what }),
        }
    }

    fn act(&mut self, place: Place, acts: Vec<Act>) -> Result<(), Violation> {
        for act in acts {
            let Some(running) = &mut self.servers[place].running else { return Ok(()) };
            let link = running.stock_following().and_then(|it| it.link);
            match act {
                Act::Connect(attempt, leader) => {
                    self.perform_on_network(place, Effect::Connect(attempt, leader));
                }
                Act::Register(promised) => {
                    let server = running.zab().ensemble().me;
                    let version = running.zab().ensemble().current.version();
                    let (protocol, trailing) = (PROTOCOL_VERSION, &[][..]);
                    let learner = LearnerInfo::Config { server, protocol, version, trailing };
                    let accepted = Zxid::of_epoch(promised);
                    let mut bytes = Vec::new();
                    FromLearner::FollowerInfo { accepted, learner }.encode(&mut bytes);
                    if let Some(link) = link {
                        self.send(link, Side::Acceptor, Frame::Bytes(bytes));
                    }
                }
                Act::Send(message) => {
                    if let Some(link) = link {
                        self.perform_on_network(place, Effect::Send(link, message));
                    }
                }
                Act::Begin(Operation::Cut(zxid)) => {
                    let files = self.servers[place].disk.files();
                    if files.is_some_and(|it| !it.has_place(zxid)) {
                        let what = "a cut behind what its log holds";
                        return Err(Violation::Wronged { place, what });
                    }
                    self.begin_disk(place, Operation::Cut(zxid));
                }
                Act::Begin(operation) => self.begin_disk(place, operation),
                Act::Save(snapshot) => {
                    if let Some(files) = self.servers[place].disk.files() {
                        files.save(snapshot);
                    }
                }
                Act::Receive(zxid) => {
                    running.receiving = link.map(|link| (link, zxid, zxid.epoch()));
                }
                Act::Made(before, after) => self.checks.made(before, after),
                Act::Show => self.stock_shows(place)?,
            }
        }
        Ok(())
    }

    /// Clients see what is in memory.
    fn stock_shows(&mut self, place: Place) -> Result<(), Violation> {
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let state = running.memory.back().copied().unwrap_or_default();
        if state.zxid < running.shown.zxid {
            let (shown, zxid) = (running.shown.zxid, state.zxid);
            return Err(Violation::Backward { place, shown, zxid });
        }
        running.shown = state;
        self.checks.shows(place, state)
    }

    /// Hands an event to a stock server that follows.
    pub(super) fn stock_event(&mut self, place: Place, event: &Event<'_>) -> Result<(), Violation> {
        let pace = self.pace;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let Some(Stock { following: Some(follower), .. }) = &mut running.stock else {
            return Ok(());
        };
        match *event {
            Event::Notification { from, notice } => {
                if follower.step() == Step::Ending {
                    follower.heard.insert(from, notice);
                } else if notice.state == ServerState::Looking {
                    let notice = follower.notice;
                    self.perform_on_network(place, Effect::Notify { to: from, notice });
                }
                Ok(())
            }
            Event::Connected(attempt, link) if follower.step() == Step::Connecting(attempt) => self
                .stock_step(place, |follower, context| {
                    follower.connected(Some(link), context);
                    Ok(())
                }),
            Event::ConnectFailed(attempt) if follower.step() == Step::Connecting(attempt) => self
                .stock_step(place, |follower, context| {
                    follower.connected(None, context);
                    Ok(())
                }),
            Event::Connected(_, link) | Event::Accepted(link) => {
                self.perform_on_network(place, Effect::Close(link, CloseReason::NotLeading));
                Ok(())
            }
            Event::FromLeader(link, ref packet) if follower.link == Some(link) => {
                self.stock_step(place, |follower, context| follower.handle(packet, context))
            }
            Event::Closed(link) if follower.link == Some(link) => {
                self.stock_step(place, |follower, _| follower.closed())
            }
            Event::TurnEnded => {
                self.stock_step(place, |follower, context| follower.tick(pace, context))
            }
            _ => Ok(()),
        }
    }

    /// A whole snapshot has come.
    pub(super) fn stock_receives(&mut self, place: Place, state: State) -> Result<(), Violation> {
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let Some((_, zxid, _)) = running.receiving.take() else { return Ok(()) };
        self.stock_step(place, |follower, context| {
            *context.states = [State { zxid, ..state }].into();
            *context.last = zxid;
            follower.loaded(context)
        })
    }

    /// An operation of its disk has ended.
    pub(super) fn stock_written(
        &mut self,
        place: Place,
        operation: &Operation,
    ) -> Result<(), Violation> {
        if let Operation::Cut(zxid) = *operation {
            self.squeezed_is_cut(place);
            let Some((states, _)) = self.servers[place].disk.files().map(|it| it.load()) else {
                return Ok(());
            };
            self.stock_step(place, |follower, context| {
                *context.states = states;
                // Whatever the log has kept.
                *context.last = zxid;
                follower.loaded(context)
            })?;
        } else {
            self.stock_step(place, |follower, context| follower.written(operation, context))?;
        }
        self.stock_looks_if_settled(place)?;
        self.schedule_turn(place, 1);
        Ok(())
    }

    /// Its link is lost: what it has logged is flushed and applied before it looks for a leader.
    fn stock_loses(&mut self, place: Place) -> Result<(), Violation> {
        self.log(|| format!("{} loses its leader", place + 1));
        let now_ms = self.now_us / 1_000;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let Some(Stock { last, following: Some(follower), attempts }) = &mut running.stock else {
            return Ok(());
        };
        running.receiving = None;
        let link = follower.link.take();
        let (states, mut acts) = (&mut running.memory, Vec::new());
        let mut context = Context { now_ms, states, last, attempts, acts: &mut acts };
        let is_dropped = follower.end(&mut context);
        if let Some(link) = link {
            self.perform_on_network(place, Effect::Close(link, CloseReason::Lost));
        }
        self.act(place, acts)?;
        if is_dropped {
            let server = &mut self.servers[place];
            let loaded = server.disk.files().map(|it| it.load());
            if let (Some((states, last)), Some(running)) = (loaded, &mut server.running) {
                running.memory = states;
                running.stock.iter_mut().for_each(|it| it.last = last);
            }
        }
        self.stock_looks_if_settled(place)
    }

    fn stock_looks_if_settled(&mut self, place: Place) -> Result<(), Violation> {
        let server = &mut self.servers[place];
        let is_settled = server.disk.is_settled();
        let Some(running) = &mut server.running else { return Ok(()) };
        let ensemble = running.zab().ensemble().clone();
        let Some(stock) = &mut running.stock else { return Ok(()) };
        let is_ending = stock.following.as_ref().is_some_and(|it| it.step() == Step::Ending);
        if !is_ending || !is_settled {
            return Ok(());
        }
        let Some(follower) = stock.following.take() else { return Ok(()) };
        let zab = stock_zab(ensemble, self.pace, follower.epochs, stock.last);
        running.body = Body::Agreement(Box::new(zab));
        for (from, notice) in follower.heard {
            self.event(place, Event::Notification { from, notice })?;
        }
        self.event(place, Event::TurnEnded)
    }
}
