//! What is sent to whom: which encoding of the camera and at which bitrate, when an encoder ticks, and what sound
//! gives way to.
//!
//! # Bitrate and size (`path.rs`, `edge.rs`, `delivery.rs`, `uplink.rs`, `sizes.rs`, `sharing.rs`)
//!
//! - str0m estimates each viewer's path (GCC over transport-wide feedback). Three quarters of that are used, 85 % below 120 kbit/s, where most is the
//!   voice; 60 % while frames queue up.
//! - What a burst's packets are spread to tells what the narrowest place carries ([`dispersion`]). Where the queue has been empty between
//!   frames for 1.5 s and at most 5 % are lost, 90 % of that is used, but not more than 120 % of the estimate or 85 % of what came at most in
//!   10 s. Where bursts tell nothing, 83 % of the estimate is used ([`edge`]).
//! - Where a queue of 60 ms stands, what comes is the path's edge for 2 s, and for 6 s more once the queue has drained. A queue that stands on
//!   although less is sent is others', or the path got longer: it tells of an edge only where less than 92 % of what is not lost comes.
//! - A path begins with what the page says that it came at, or with 400 kbit/s. Probes look half as far again beyond what was
//!   found. In its first 5 s they follow each other at once, later every 5 s, or after 1.5 s where the last one has found more.
//! - What str0m tells of its estimate is an average of three seconds. So [`delivery`] makes the plain sum: what was sent in the
//!   last 400 ms, what of it came, how late. If packets wait and less than 85 % come, the path carries what came. That counts
//!   for 3 s, nothing lost is sent again, and the next frame is a keyframe. Less than half of it is used while its
//!   queue is over 100 ms. Where the estimate has fallen far below it by the end of that time, the path begins anew with it.
//! - Viewers whose packets wait equally long at the same time wait in one queue: mostly that of home's own uplink ([`uplink`]). What
//!   comes of all of them while it stands is what the pipe carries. Each gets an equal part of that, and begins anew with it where
//!   the others had pushed it aside. Without a queue for 3 s the pipe is taken to carry 2 % a second more, and 25 % where each
//!   estimator has found 30 % more than its part, or its viewer wants no more; at most what all want. Whose packets wait alone gets what came through, and the others the rest.
//! - An encode has the bitrate that the slowest of its viewers can use beside the sound. It falls at once. It rises by 40 % a
//!   second, in its first 5 s by 150 %.
//! - An encode walks sizes by its bitrate ([`sizes`]): 1, ¾, ½, ⅜ and ¼ of the configured sides, down to `[video.reduced]`. `floor_kbps` is
//!   what the full size needs of an ordinary scene; each other one needs bits in proportion to its pixels. What the scene takes is learned from the encoder's QP ([`demand`]): between a quarter and four times that. A change is a keyframe. Down is at once. Up takes
//!   0.3 s in the first 8 s, then 3 s, and longer after a climb that did not hold.
//! - Up to three encodes run at once ([`sharing`]). Viewers share one where none loses much by it. A single viewer has the first.
//! - A frame that waits over 250 ms in the pacer is a jam: nothing is sent to that viewer until a keyframe fits
//!   (`call/home/media.rs`).
//! - A page hears which connection is most likely the narrow one, when its picture has been small for 8 s ([`limits`]). A device that saves data
//!   gets 30 % of what the full size needs, and probes that look half as far again at most (`call/home/limits.rs`).
//! - Who sends nothing for 3 s while pictures are sent gets nothing until something comes (`call/home/visit.rs`).
//!
//! # What the path itself loses (`duplication.rs`, `climb.rs`)
//!
//! - Losses are the path's own where no packet waits for longer than some milliseconds. Where a queue overflows, they are ours.
//! - Each video packet is sent twice, 10 ms apart, from 1 % loss on where a round trip takes 40 ms or more, and from 4 % on anywhere
//!   ([`duplication`], `call/peer/duplicates.rs`). With the latter and a long round trip a third one follows behind the next frame.
//! - The copies must fit: what may be used of the path is divided among picture and copies, and must leave the picture what its full size
//!   needs. Beside two copies the picture takes 150 % of that at most. Who shares a pipe or saves data gets none.
//! - They end at once where packets wait for 60 ms, and begin again 15 s to 4 minutes later; where they make up for nothing; and 20 s after
//!   the last losses. A copy that makes up for a loss comes after packets that were sent later: by that the losses are still seen.
//! - The estimator takes losses for a full path. Where 2.5 % and more are lost for 4 s (1 s at first), home doubles the estimate by steps as long
//!   as nothing waits and what is lost stays the same part ([`climb`]). A step that fails is taken back; the next is tried 5 s to 5
//!   minutes later.
//!
//! # Passthrough (`passthrough.rs`)
//!
//! A camera that encodes H.264 itself is passed on without another encode, while all of this holds:
//!
//! - its stream suits browsers (constrained baseline) and has the full size;
//! - it makes keyframes when asked;
//! - what is ordered of the first encoder is enough for the full size, and the stream is no more than that for longer than some seconds. The camera is set to that bitrate where it can be.
//!
//! Otherwise it is decoded and encoded again. A keyframe lies between both ways, so viewers see no gap. For the
//! other encoders and the TV it is decoded on the camera's thread, only while one of them needs pixels. A lost unit
//! costs everything up to the next keyframe, which the camera is asked for at once.
//!
//! # Latency (`cadence.rs`, `encoding.rs`, `playout.rs`)
//!
//! A frame waits for nothing:
//!
//! - An encoder's ticks are locked in phase to the camera's arrivals ([`cadence`]).
//! - The loop is woken by an eventfd. Packets leave in the same turn.
//! - [`encoding`] decides what a tick gets: a fresh frame, the same frame again, a forced keyframe, the card, or
//!   nothing while the camera encodes.
//! - The playout-delay extension goes along with every frame ([`playout`]): 0/0 on a clean path, 0 to 400 ms while a
//!   viewer's reports show over 2 % loss or 30 ms jitter. It closes after ten calm seconds.
//! - Camera frames carry abs-capture-time.
//!
//! `make bench` prints capture to presentation, with each stage in between, and the way back to the TV's driver.
//!
//! # Sound comes first (`speech.rs`, `stills.rs`)
//!
//! - One order serves all encoders. It is set for the worst path that can carry the least bitrate at all.
//! - Reported loss sets the encoder's FEC. Below 20 kbit/s the encoder puts in no FEC. So with losses, sound gets 20
//!   at least.
//! - From 3 % loss on, each packet brings the previous one along (RED), for that viewer.
//! - Sound is never paced. Where a path does not carry both, the picture gives way in steps:
//!   1. the smallest picture leaves frames out, down to a quarter of them (`encoding.rs`);
//!   2. only still pictures are sent, as there is room: one in 2 to 20 s (`stills.rs`);
//!   3. nothing but sound, where less than 4 kbit/s are left for pictures.
//! - In steps 2 and 3 the estimator rests too, since its probes and its padding would take what the voice needs. It is set back every 0.2 s, before it
//!   estimates anything. It tries again after 10 to 80 s, for 4 s.
//! - Loss belongs to the path itself where it goes on while next to nothing is sent, and where packets have waited less than 15 ms on the average for 5 s. Then redundancy stays
//!   on, whatever the estimate says. Where a queue stands, the loss is ours.
//!
//! The page does the same in the other direction (`webroot/uplink.js`).

pub mod cadence;
pub mod climb;
pub mod delivery;
pub mod demand;
pub mod dispersion;
pub mod duplication;
pub mod edge;
pub mod encoding;
pub mod limits;
pub mod passthrough;
pub mod path;
pub mod playout;
pub mod sharing;
pub mod sizes;
pub mod snapshots;
pub mod speech;
pub mod stills;
pub mod uplink;
