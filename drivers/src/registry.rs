//! All drivers of this build, in const tables: the best choice of `auto` first.
