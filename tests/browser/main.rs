//! A real headless Chromium, and a Firefox, visit the real program: what its viewer sees, hears and reads, and what home does.
//!
//! `cargo test --release --test browser [WORD…]` runs the tests whose names contain a word: first those that have the machine
//! for themselves, then two lanes beside one another.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a test from outside lives in real time")]

mod access;
mod autoplay;
mod both_ways;
mod feels;
mod firefox;
mod harness;
mod house;
mod instruments;
mod lab;
mod limits;
mod looks;
mod networks;
mod people;
mod posts;
mod recogniser;
mod sound_only;
mod spoken;
mod trouble;
mod trust;
mod watching;
mod webkit;

use lab::Lane;

fn main() -> std::process::ExitCode {
    lab::run(&[&[ALONE], &[SOUND_AND_NETWORKS, PAGES]])
}

/// The instruments, and what would feel another test beside it: who counts each gap, has several viewers listen, counts what
/// the browser's own sound device brings, or judges how well words are understood.
const ALONE: Lane = &[
    ("instruments_read_the_strips_test_vector", instruments::strip_vector),
    ("instruments_see_and_hear_a_loopback_call", instruments::loopback),
    ("instruments_judge_how_well_words_are_understood", spoken::instrument),
    ("home_is_seen_before_any_permission", watching::picture),
    ("home_is_heard_at_its_pitch", watching::sound),
    ("the_rest_of_the_page_stays_away", watching::first_light),
    ("home_answers_before_the_document_is_there", watching::answered_early),
    ("four_viewers_at_once", watching::four),
    ("feels_the_volume_at_home", feels::volume),
    ("feels_company", feels::company),
    ("a_viewer_is_seen_and_heard_at_home", both_ways::seen_and_heard),
    ("a_browser_without_h264_hears_and_talks", sound_only::chromium),
    ("firefox_hears_home_and_talks", firefox::visits),
    ("webkit_reads_the_words", webkit::words_and_layout),
    ("words_over_an_ordinary_path", spoken::ordinary_path),
    ("words_over_a_lossy_path", spoken::lossy_path),
    ("words_over_a_rough_path", spoken::rough_path),
    ("words_over_a_thin_path", spoken::thin_path),
];

/// What listens to a single viewer, and what is cut off and waits.
const SOUND_AND_NETWORKS: Lane = &[
    ("instruments_route_as_homes_do", instruments::routers),
    ("instruments_cut_udp", instruments::cut),
    ("feels_home_chimes", feels::chimes),
    ("feels_home_is_muted", feels::mute),
    ("the_socket_dies_while_ice_is_checking", networks::socket_dies_while_checking),
    ("a_browsers_addresses_get_their_names_late", networks::names_come_late),
    ("the_socket_falls_silent", networks::socket_falls_silent),
    ("udp_breaks_for_a_while", networks::udp_breaks_for_a_while),
    ("udp_stays_away", networks::udp_stays_away),
    ("a_network_of_ipv6_alone", networks::ipv6),
    ("a_cable_is_plugged_in", networks::new_address),
    ("home_and_viewer_behind_routers", networks::routers),
    ("a_thin_path_is_told", limits::thin),
];

/// What looks at pages and the TV, and for the most part waits for something to be seen.
const PAGES: Lane = &[
    ("instruments_answer_for_the_viewer", instruments::permissions),
    ("who_refuses_the_camera_still_watches", watching::refused),
    ("a_blocked_camera_costs_no_microphone", watching::camera_refused),
    ("who_just_watches_is_not_asked", watching::just_watching),
    ("a_device_that_saves_data_takes_the_full_picture_with_one_tap", limits::saving),
    ("two_viewers_share_the_tv", both_ways::grid),
    ("who_allowed_it_before_is_not_asked", both_ways::remembered),
    ("leaving_and_returning", both_ways::leave_and_return),
    ("feels_the_browser_cleans_the_sound", feels::processing),
    ("screens_for_human_eyes", looks::screens),
    ("the_page_speaks_the_browsers_language", looks::languages),
    ("the_socket_dies_in_a_call", trouble::socket_dies),
    ("the_socket_stays_away", trouble::socket_stays_away),
    ("home_restarts_in_a_visit", trouble::restart),
    ("home_loses_power_in_a_visit", trouble::power_cut),
    ("the_first_words_go_in_a_post", posts::carriers),
    ("an_answer_that_comes_too_late_makes_no_second_visit", posts::late),
    ("no_socket_gets_through", posts::no_socket),
    ("a_socket_comes_after_all", posts::socket_comes_late),
    ("an_offer_comes_late", posts::late_offer),
    ("another_certificate_under_an_open_page", trust::another_certificate),
    ("a_ca_that_could_sign_for_every_site", trust::early_authority),
    ("a_reload", trouble::reload),
    ("a_double_click", trouble::double_click),
    ("two_tabs", trouble::two_tabs),
    ("the_tab_sleeps", trouble::sleep),
    ("a_browser_plays_nothing_before_a_tap", autoplay::tap),
    ("a_browser_without_h264_plays_no_sound_before_a_tap", autoplay::sound),
    ("strangers_at_the_door", trouble::strangers),
    ("a_browser_knows_h264_late", trouble::codec_comes_late),
    ("a_viewer_makes_hostile_offers", trouble::hostile_viewer),
    ("a_connection_fails_at_home", trouble::connection_fails_at_home),
    ("a_wrong_link", access::wrong_key),
    ("a_full_home", access::full),
    ("a_revoked_link", access::revoked),
    ("a_link_is_spent", access::spent_link),
    ("a_link_with_rubbish", access::rubbish_link),
    ("a_browser_that_lost_its_storage_is_known_again", access::lost_storage),
    ("a_reset_home", access::reset),
    ("a_code_on_the_tv", access::code_on_the_tv),
    ("people_come_by_an_owners_links", people::invited),
    ("people_are_declined_or_not_answered", people::declined),
    ("people_see_a_frosted_preview", people::previewed),
    ("people_behind_the_curtain", people::curtain),
    ("people_are_called", people::called),
    ("an_owner_sets_home", house::set),
];
