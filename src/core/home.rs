//! All visits: admission, signaling, media, rungs.
