//! One thread, one poll, explicit deadlines: sockets, datagrams, encoders and timers meet the [`Home`] here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::TrySendError;
use intercom_core::call::home::{Home, HomeOutput, SocketId};
use intercom_core::call::items::{EncodedVideo, EncoderName, EncoderOrder, ToSpeaker, ViewerFrame};
use intercom_core::people::fairness::Source;
use intercom_core::tv::visits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::shell::disk::{Job, Unstored};
use crate::shell::goodbyes::Goodbyes;
use crate::shell::posts::Posts;
use crate::shell::signal_socket::{Heard, SignalSocket, Turn};
use crate::shell::stages::Stages;
use crate::shell::udp::Udp;
use crate::shell::wake::Wake;
use crate::shell::wires::{LoopInputs, LoopOutputs, ToLoop};
use crate::shell::{clock, pulse};

/// Items taken from each channel in one turn.
const PER_TURN: usize = 32;

/// POSTs taken in one turn: each may hold an offer, which costs a millisecond.
const POSTS_PER_TURN: usize = 4;

/// Receive calls on each UDP socket in one turn.
const BATCHES_PER_TURN: usize = 16;

/// How often the wall clock is compared.
const WALL_EVERY: Duration = Duration::from_secs(10);

/// What is to be stored gets this long in the end to reach the thread `disk`.
const LAST_WRITES: Duration = Duration::from_millis(500);

/// After the goodbyes, sockets get this long to take them.
const FAREWELL: Duration = Duration::from_millis(500);

/// See the module.
pub struct EventLoop {
    home: Home,
    udp: Udp,
    wake: Wake,
    inputs: LoopInputs,
    outputs: LoopOutputs,
    sockets: HashMap<SocketId, (Source, SignalSocket)>,
    posts: Posts,
    leaving: Goodbyes,
    next_socket: u64,
    stages: Stages,
    wall_due: Instant,
    pictures_lost: bool,
    visited: bool,
    curtain: bool,
    /// What the thread `disk` has had no room for; it is offered again every turn.
    unstored: Unstored,
    dropped_sound: u64,
    turns: u64,
}

enum State {
    Running,
    Ending(Instant),
}

impl EventLoop {
    /// Puts the parts together, `curtain` drawn or not; nothing happens before [`EventLoop::run`].
    pub fn new(
        home: Home,
        curtain: bool,
        (udp, wake): (Udp, Wake),
        inputs: LoopInputs,
        outputs: LoopOutputs,
    ) -> EventLoop {
        EventLoop {
            home,
            udp,
            wake,
            inputs,
            outputs,
            sockets: HashMap::new(),
            posts: Posts::default(),
            leaving: Goodbyes::default(),
            next_socket: 1,
            stages: Stages::default(),
            wall_due: clock::now(),
            pictures_lost: false,
            visited: false,
            curtain,
            unstored: Unstored::default(),
            dropped_sound: 0,
            turns: 0,
        }
    }

    /// Runs until [`ToLoop::Shutdown`], then says goodbye to every page.
    pub fn run(mut self) {
        self.draw_curtain(self.curtain);
        self.show_visits();
        let mut state = State::Running;
        let mut more = false;
        loop {
            let ready = self.wait(&state, more);
            self.turns += 1;
            let now = clock::now();
            if let State::Ending(until) = state
                && (now >= until || self.sockets.is_empty() && self.leaving.is_empty())
            {
                return self.unstored.finish(&self.outputs.disk, now + LAST_WRITES);
            }
            if now >= self.wall_due {
                self.home.handle_wall_clock(clock::unix_time(), now);
                self.wall_due = now + WALL_EVERY;
            }
            self.wake.clear();
            more = self.take_media();
            more |= self.receive();
            self.flush();
            more |= self.take_sockets();
            more |= self.take_posts();
            more |= self.serve_sockets(&ready);
            self.leaving.advance(now);
            self.give_up_stalled(now);
            if self.take_events() && matches!(state, State::Running) {
                self.home.handle_shutdown(clock::now());
                state = State::Ending(clock::now() + FAREWELL);
            }
            let now = clock::now();
            if self.home.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.home.handle_timeout(now);
            }
            self.flush();
        }
    }

    /// Sleeps until something can be done. Returns which sockets may be read or written.
    fn wait(&self, state: &State, more: bool) -> Vec<SocketId> {
        let ids: Vec<SocketId> = self.sockets.keys().copied().collect();
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let udp: Vec<_> = self.udp.fds().collect();
        fds.extend(udp.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let first_socket = fds.len();
        let borrowed: Vec<_> =
            ids.iter().map(|id| (self.sockets[id].1.fd(), self.sockets[id].1.wants_write())).collect();
        for (fd, writes) in &borrowed {
            let flags = if *writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::new(fd, flags));
        }
        let first_leaving = fds.len();
        for leaving in self.leaving.iter() {
            let (fd, flags) = leaving.interest();
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        }
        let mut deadline = self.wall_due;
        if let Some((at, why)) = self.home.poll_timeout() {
            log::trace!("next timer: {why:?}");
            deadline = deadline.min(at);
        }
        if let State::Ending(until) = state {
            deadline = deadline.min(*until);
        }
        let stalled = self.sockets.values().filter_map(|(_, socket)| socket.deadline());
        deadline = self.leaving.iter().map(|leaving| leaving.deadline()).chain(stalled).fold(deadline, Instant::min);
        let left = if more { Duration::ZERO } else { deadline.saturating_duration_since(clock::now()) };
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        pulse::beat(left);
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                log::error!("poll: {error}");
                clock::sleep_until(clock::now() + Duration::from_millis(10));
            }
        }
        if more {
            return ids;
        }
        let ready = fds[first_socket..first_leaving].iter().map(|fd| !fd.revents().is_empty());
        ids.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(id, _)| id).collect()
    }

    fn take_media(&mut self) -> bool {
        for _ in 0..PER_TURN {
            let Ok(packet) = self.inputs.audio.try_recv() else { break };
            self.home.handle_audio(&packet, clock::now());
            self.flush();
        }
        for _ in 0..PER_TURN {
            let Ok(frame) = self.inputs.video.try_recv() else { return false };
            self.take_video(&frame);
        }
        true
    }

    fn take_video(&mut self, frame: &EncodedVideo) {
        let taken = clock::now();
        self.home.handle_video(frame, taken);
        self.flush();
        if frame.encoder == EncoderName::First {
            self.stages.add(
                frame.encode_began.saturating_duration_since(frame.captured),
                frame.encoded.saturating_duration_since(frame.encode_began),
                taken.saturating_duration_since(frame.encoded),
                clock::now().saturating_duration_since(taken),
            );
        }
    }

    fn receive(&mut self) -> bool {
        let EventLoop { home, udp, .. } = self;
        let now = clock::now();
        udp.receive(BATCHES_PER_TURN, |source, local, bytes| home.handle_datagram(source, local, bytes, now))
    }

    fn take_sockets(&mut self) -> bool {
        let mut fresh = Vec::new();
        while let Ok(open) = self.inputs.sockets.try_recv() {
            let id = self.next_id();
            self.sockets.insert(id, (Source::of(open.peer.ip()), SignalSocket::new(open.socket)));
            self.home.handle_socket_open(id, open.peer, open.local, clock::now());
            fresh.push(id);
        }
        // The first messages may already sit inside the TLS session, where poll does not see them.
        self.serve_sockets(&fresh)
    }

    fn take_posts(&mut self) -> bool {
        for _ in 0..POSTS_PER_TURN {
            let Ok(post) = self.inputs.posts.try_recv() else { return false };
            let id = self.next_id();
            self.posts.begin(id, post.reply);
            self.home.handle_post(id, &post.lines, post.peer, post.local, clock::now());
            self.flush();
        }
        true
    }

    fn next_id(&mut self) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        id
    }

    fn serve_sockets(&mut self, ids: &[SocketId]) -> bool {
        let mut more = false;
        for id in ids {
            let Some((_, socket)) = self.sockets.get_mut(id) else { continue };
            let now = clock::now();
            let home = &mut self.home;
            let (turn, bytes) = socket.read(now, |heard| {
                match heard {
                    Heard::Text(text) => home.handle_message(*id, &text, now),
                    Heard::Alive => home.handle_socket_alive(*id, now),
                }
                home.longest_message(*id)
            });
            home.handle_socket_bytes(*id, bytes, now);
            more |= turn == Turn::More;
            self.after(*id, turn);
            self.flush();
        }
        more
    }

    /// Takes what other threads tell; `true` if it is time to end.
    fn take_events(&mut self) -> bool {
        let mut end = false;
        for _ in 0..PER_TURN {
            let Ok(event) = self.inputs.events.try_recv() else { break };
            let now = clock::now();
            match event {
                ToLoop::Camera(state) => self.home.handle_camera(state),
                ToLoop::Snapshot(jpeg) => self.home.handle_snapshot(&jpeg),
                ToLoop::KeyframeWanted(visit) => self.home.handle_keyframe_wanted(visit, now),
                ToLoop::Addresses(addresses) => self.home.handle_addresses(addresses, now),
                ToLoop::Revoked(key, answer) => {
                    let _asker_is_gone = answer.try_send(self.home.handle_revoked(key, now));
                }
                ToLoop::Mute(wish, answer) => {
                    let muted = self.home.handle_mute(wish, now);
                    // It is on its way to the disk before anybody asks whether it is there.
                    self.flush();
                    let _asker_is_gone = answer.map(|answer| answer.try_send(muted));
                }
                ToLoop::Status(answer) => drop(answer.try_send(self.status().to_string())),
                ToLoop::Reset(answer) => {
                    let people = self.home.handle_reset(now);
                    self.show_visits();
                    let _asker_is_gone = answer.try_send(people);
                }
                ToLoop::Disk(job) => self.unstored.push(job),
                ToLoop::Examined(checkup) => self.home.handle_examined(checkup),
                ToLoop::Shutdown => end = true,
                ToLoop::Invited(link) => self.home.handle_invited(link, now),
                ToLoop::InviteMade(invite, made) => self.home.handle_invite_made(invite, made, now),
                ToLoop::CallPressed => self.home.handle_call_pressed(now),
                ToLoop::Call(whom, answer) => {
                    let _asker_is_gone = answer.try_send(self.home.handle_call(whom, now));
                }
                ToLoop::Visits(answer) => {
                    let _asker_is_gone = answer.try_send(self.home.visits(usize::MAX));
                }
                ToLoop::EraseVisits(answer) => {
                    self.home.handle_erase_visits();
                    self.flush();
                    let _asker_is_gone = answer.try_send(());
                }
                ToLoop::Zone(zone) => self.home.handle_zone(zone, now),
                ToLoop::InviteHeld => self.home.handle_invite_held(now),
                ToLoop::LetInPressed => self.home.handle_let_in_pressed(now),
                ToLoop::DeclinePressed => self.home.handle_decline_pressed(now),
                ToLoop::Curtain(wish, answer) => {
                    let drawn = self.home.handle_curtain(wish, now);
                    self.flush();
                    let _asker_is_gone = answer.map(|answer| answer.try_send(drawn));
                }
                ToLoop::People(answer) => {
                    let text = serde_json::to_string(&self.home.people(now)).unwrap_or_default();
                    let _asker_is_gone = answer.try_send(text);
                }
                ToLoop::Edit(number, edit, answer) => {
                    let changed = self.home.handle_edit(number, &edit, now);
                    self.flush();
                    let _asker_is_gone = answer.try_send(changed);
                }
                ToLoop::Minted(exchange, minted) => self.home.handle_minted(exchange, minted, now),
                ToLoop::InvitePressed => self.home.handle_invite_pressed(now),
                ToLoop::CodeWanted { name, role, links } => {
                    let _asker_is_gone = links.try_send(self.home.handle_code_wanted(name, role, now));
                }
            }
            self.flush();
        }
        end
    }

    fn status(&self) -> serde_json::Value {
        let mut status = self.home.status();
        status["stages"] = self.stages.summary();
        status["sockets_closing"] = self.leaving.len().into();
        status["loop_turns"] = self.turns.into();
        status["datagrams_dropped"] = self.udp.dropped().into();
        status["sound_dropped"] = self.dropped_sound.into();
        status
    }

    /// Nothing that comes in on the socket counts from now on; what was said to it still goes out, for a while.
    fn close(&mut self, id: SocketId) {
        if self.posts.end(id) {
            return;
        }
        let Some((source, socket)) = self.sockets.remove(&id) else { return };
        let now = clock::now();
        self.leaving.begin(source, socket.leave(now), now);
    }

    /// Ends sockets whose far end takes nothing.
    fn give_up_stalled(&mut self, now: Instant) {
        let due = |socket: &SignalSocket| socket.deadline().is_some_and(|at| at <= now);
        let stalled: Vec<SocketId> =
            self.sockets.iter().filter(|(_, (_, socket))| due(socket)).map(|(id, _)| *id).collect();
        for id in stalled {
            self.with_socket(id, SignalSocket::write);
        }
        self.flush();
    }

    fn with_socket(&mut self, id: SocketId, act: impl FnOnce(&mut SignalSocket, Instant) -> Turn) {
        if let Some((_, socket)) = self.sockets.get_mut(&id) {
            let turn = act(socket, clock::now());
            self.after(id, turn);
        }
    }

    fn after(&mut self, id: SocketId, turn: Turn) {
        if turn == Turn::Closed && self.sockets.remove(&id).is_some() {
            self.home.handle_socket_closed(id, clock::now());
        }
    }

    /// Does everything that the home wants done.
    fn flush(&mut self) {
        while let Some(output) = self.home.poll_output() {
            match output {
                HomeOutput::Transmit(t) => self.udp.send(t.source, t.destination, &t.contents),
                HomeOutput::Say(id, message) if self.posts.say(id, &message) => {}
                HomeOutput::Say(id, message) => self.with_socket(id, |socket, now| socket.say(&message, now)),
                HomeOutput::Ping(id) => self.with_socket(id, SignalSocket::ping),
                HomeOutput::Close(id) => self.close(id),
                HomeOutput::Encoder(encoder, order) => self.order(encoder, order),
                HomeOutput::Snapshot => self.outputs.encoders.snapshots.order(),
                HomeOutput::Speech(speech) => {
                    log::debug!("Opus encoder: {speech:?}");
                    self.outputs.speech.order(speech);
                }
                HomeOutput::Visited(visited) => {
                    self.visited = visited;
                    self.outputs.devices.activity.set_visited(visited && !self.curtain);
                }
                HomeOutput::Sound(spoken) => self.play(ToSpeaker::AudioIn(spoken)),
                HomeOutput::MixMinus(spoken) => {
                    // What does not fit is concealed; who left without a word is forgotten after a while.
                    if let Err(TrySendError::Full(_)) = self.outputs.mix_minus.try_send(spoken) {
                        self.dropped_sound += 1;
                    }
                }
                HomeOutput::Chime(chime) => {
                    let sound = self.outputs.chimes.of(chime);
                    if !sound.is_empty() {
                        self.play(ToSpeaker::Chime(Arc::clone(sound)));
                    }
                }
                HomeOutput::Muted(muted) => {
                    self.outputs.devices.levels.set_muted(muted);
                    self.unstored.push(Job::Muted(muted));
                }
                HomeOutput::Curtain(drawn) => {
                    self.outputs.devices.levels.set_curtain(drawn);
                    self.draw_curtain(drawn);
                    // Behind the curtain the camera rests, as while nobody visits.
                    self.outputs.devices.activity.set_visited(self.visited && !drawn);
                    self.unstored.push(Job::Curtain(drawn));
                }
                HomeOutput::Store(change) => self.unstored.push(Job::Change(change)),
                HomeOutput::Call(call) => {
                    if self.outputs.caller.try_send(call).is_err() {
                        log::debug!("nobody beyond open pages is told that home calls");
                    }
                }
                HomeOutput::House(house) => self.unstored.push(Job::House(house)),
                HomeOutput::Looks { name, language } => self.outputs.board.set_looks(&name, language),
                HomeOutput::ChimeVolume(percent) => self.outputs.devices.levels.set_chime(percent),
                // One that waits already is as good.
                HomeOutput::Examine => drop(self.outputs.examiner.try_send(())),
                HomeOutput::News(news) => self.unstored.push(Job::News(news)),
                HomeOutput::Visits(log) => {
                    self.unstored.push(Job::Visits(log));
                    self.show_visits();
                }
                HomeOutput::Door(door) => self.outputs.board.set_door(door),
                HomeOutput::Invite { invite, wish } => {
                    if self.outputs.disk.try_send(Job::Invite(invite, wish)).is_err() {
                        self.home.handle_invite_made(invite, None, clock::now());
                    }
                }
                HomeOutput::Volume(percent) => self.outputs.devices.levels.set_volume(percent),
                HomeOutput::Picture(frame) => self.hand_picture(frame),
                HomeOutput::Viewers(viewers) => self.outputs.board.set_viewers(viewers),
                HomeOutput::Code(code) => self.outputs.board.set_code(code),
                HomeOutput::Mint { exchange, whom } => {
                    if self.outputs.disk.try_send(Job::Key(exchange, whom)).is_err() {
                        self.home.handle_minted(exchange, None, clock::now());
                    }
                }
            }
        }
        self.unstored.offer(&self.outputs.disk);
        self.udp.flush();
    }

    /// Nothing that the camera sees behind the curtain is kept for later.
    fn draw_curtain(&mut self, drawn: bool) {
        self.curtain = drawn;
        self.outputs.encoders.video.iter().for_each(|(_, control)| control.set_curtain(drawn));
    }

    fn show_visits(&self) {
        self.outputs.board.set_visits(visits::newest(self.home.visit_log()));
    }

    fn play(&mut self, sound: ToSpeaker) {
        match self.outputs.speaker.try_send(sound) {
            Ok(()) => {}
            // A goodbye that got lost: the speaker forgets a silent viewer by itself.
            Err(TrySendError::Full(_)) => self.dropped_sound += 1,
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    fn order(&self, encoder: EncoderName, order: EncoderOrder) {
        log::debug!("{encoder:?} encoder: {order:?}");
        if let Some((_, control)) = self.outputs.encoders.video.iter().find(|(name, _)| *name == encoder) {
            control.order(order);
        }
    }

    fn hand_picture(&mut self, mut frame: ViewerFrame) {
        // A frame that found the channel full is a gap for the next one.
        frame.gap |= std::mem::take(&mut self.pictures_lost);
        if let Err(TrySendError::Full(_)) = self.outputs.pictures.try_send(frame) {
            self.pictures_lost = true;
        }
    }
}
