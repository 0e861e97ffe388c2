//! Keys, links and their file.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn key(seed: u8) -> Key {
    Key::mint(|bytes| {
        bytes.iter_mut().enumerate().for_each(|(n, byte)| *byte = seed.wrapping_mul(31).wrapping_add(n as u8));
        Ok::<_, ()>(())
    })
    .unwrap()
}

fn with_device(people: &mut People, seed: u8, name: Option<&str>) -> (u64, KeyId) {
    let person = people.add_person(name.map(str::to_owned), Role::Family);
    (person, people.add_device(person, key(seed).hash(), "2026-11-02T10:00:00Z".into()))
}

fn with_link(people: &mut People, seed: u8, devices: u64) -> u64 {
    let number = people.add_person(Some("Anna".into()), Role::Family);
    let person = people.person(number).unwrap().clone();
    let link = Link { person: number, hash: key(seed).hash(), until: NOW + DAY * 7, devices, used: 0 };
    people.take_link(person, link);
    number
}

fn temporary(people: &mut People, seed: u8) {
    let nobody = Person::new(0, None, Role::Guest);
    people.take_device(nobody, KeyId::TEMPORARY, key(seed).hash());
}

#[test]
fn only_the_right_keys_open() {
    let mut people = People::new();
    assert_eq!(people.verify(&key(1).to_text()), None);
    let (_, first) = with_device(&mut people, 1, None);
    let (_, second) = with_device(&mut people, 2, None);
    temporary(&mut people, 3);
    with_link(&mut people, 5, 3);
    assert_eq!(people.verify(&key(1).to_text()), Some(first));
    assert_eq!(people.verify(&key(2).to_text()), Some(second));
    assert_eq!(people.verify(&key(3).to_text()), Some(KeyId::TEMPORARY));
    assert_eq!(people.verify(&key(4).to_text()), None);
    assert_eq!(people.verify(&key(5).to_text()), None, "a link's token is no key");
    for wrong in ["", "k", "é", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAB"] {
        assert_eq!(people.verify(wrong), None, "{wrong}");
    }
    assert_eq!(people.verify(&key(1).to_text().repeat(1000)), None);
}

#[test]
fn a_link_is_good_for_a_week_and_then_for_three_devices_within_a_day() {
    let mut people = People::new();
    let anna = with_link(&mut people, 1, 3);
    let token = key(1).to_text();
    let invited = |people: &People, now| people.invited(&token, now).map(|invited| invited.person);
    assert_eq!(invited(&people, NOW + DAY * 6), Some(anna));
    assert_eq!(invited(&people, NOW + DAY * 7), None, "never opened");
    assert_eq!(people.invited(&key(2).to_text(), NOW), None);

    let mut within_a_day = people.clone();
    within_a_day.use_link(anna, NOW);
    assert_eq!(invited(&within_a_day, NOW + DAY - Duration::from_secs(1)), Some(anna));
    assert_eq!(invited(&within_a_day, NOW + DAY), None, "the day is over");

    let mut three = people.clone();
    for _ in 0..3 {
        assert_eq!(invited(&three, NOW), Some(anna));
        three.use_link(anna, NOW);
    }
    assert_eq!(invited(&three, NOW), None, "used up");

    people.use_link(anna, NOW + DAY * 7 - Duration::from_secs(60));
    assert_eq!(invited(&people, NOW + DAY * 7), None, "a late opening does not make it longer");
}

#[test]
fn what_is_over_is_forgotten_and_who_has_a_device_is_not() {
    let mut people = People::new();
    let anna = with_link(&mut people, 1, 1);
    let ben = with_link(&mut people, 2, 1);
    people.add_device(anna, key(3).hash(), String::new());
    people.use_link(anna, NOW);
    people.tidy(NOW);
    assert_eq!((people.links.len(), people.numbers()), (1, vec![anna, ben]));
    people.tidy(NOW + DAY * 8);
    assert_eq!((people.links.len(), people.numbers()), (0, vec![anna]));
}

#[test]
fn revoking_a_person_ends_all_that_is_theirs_and_a_key_only_itself() {
    let mut people = People::new();
    let anna = with_link(&mut people, 1, 3);
    let phone = people.add_device(anna, key(2).hash(), String::new());
    let tablet = people.add_device(anna, key(3).hash(), String::new());
    let (ben, bens) = with_device(&mut people, 4, Some("Ben"));
    temporary(&mut people, 9);
    assert_eq!(people.clone().revoke(99), None);
    assert_eq!(people.revoke(phone.0), Some(vec![phone]));
    assert_eq!(people.verify(&key(2).to_text()), None);
    assert_eq!(people.verify(&key(3).to_text()), Some(tablet));
    assert_eq!(people.revoke(anna), Some(vec![tablet]));
    assert_eq!(people.invited(&key(1).to_text(), NOW), None);
    assert_eq!((people.verify(&key(4).to_text()), people.numbers()), (Some(bens), vec![ben]));
    assert_eq!(people.revoke(0), Some(vec![KeyId::TEMPORARY]));
    let mut again = People::from_toml(&people.to_toml()).unwrap();
    assert!(again.add_person(None, Role::Family) > ben, "a number never comes back");
}

#[test]
fn the_file_keeps_all_of_it_hashed_and_temporary_keys_not_at_all() {
    let mut people = People::new();
    let ju = people.add_person(Some("Ju\"rgen".into()), Role::Owner);
    people.add_device(ju, key(1).hash(), "2026-11-02T10:00:00Z".into());
    with_device(&mut people, 2, None);
    let anna = with_link(&mut people, 4, 3);
    people.use_link(anna, NOW);
    let stored = people.clone();
    assert!(stored.has_stored() && !People::new().has_stored());
    temporary(&mut people, 3);
    let text = people.to_toml();
    for secret in [key(1), key(2), key(3), key(4)] {
        assert!(!text.contains(&secret.to_text()));
    }
    assert!(!text.contains(&super::super::keys::hex(&key(3).hash())));
    assert_eq!(People::from_toml(&text).unwrap(), stored, "{text}");
    assert_eq!(People::from_toml("").unwrap(), People::new());
}

#[test]
fn keys_of_an_early_file_go_on_with_their_numbers_and_names() {
    let hash = super::super::keys::hex(&key(1).hash());
    let text = format!(
        "next = 5\n[[key]]\nnumber = 2\nname = \"Anna\"\ncreated = \"2026-11-02T10:00:00Z\"\nsha256 = \"{hash}\"\n"
    );
    let people = People::from_toml(&text).unwrap();
    let id = people.verify(&key(1).to_text()).unwrap();
    assert_eq!(id, KeyId(2));
    let person = people.owner_of(id).unwrap();
    assert_eq!((person.number, person.name.as_deref(), person.role), (5, Some("Anna"), Role::Family));
    assert_eq!(People::from_toml(&people.to_toml()).unwrap(), people);
}

#[test]
fn a_name_that_nobody_sees_is_none_and_keeps_nobody_out() {
    let hash = super::super::keys::hex(&key(1).hash());
    let person = "[[person]]\nnumber = 1\nname = \"\u{3164}\"\nrole = \"family\"\n";
    let text = format!("{person}[[key]]\nnumber = 2\nperson = 1\nsha256 = \"{hash}\"\n");
    assert_eq!(People::from_toml(&text).unwrap().person(1).unwrap().name, None);
    assert!(People::from_toml(&text.replace('\u{3164}', "")).is_err());
}

#[test]
fn a_broken_file_is_told_by_line_or_number() {
    let problem = |text: &str| People::from_toml(text).unwrap_err();
    let hash = "0".repeat(64);
    assert!(problem("next = 1\nnext = 2\n").contains("line 2"));
    assert!(problem("next = 1\nkeyz = 2\n").contains("keyz"));
    assert!(problem("[[key]]\nnumber = 3\nsha256 = \"é\"\n").contains("key 3"));
    assert!(problem(&format!("[[key]]\nnumber = 1\nsha256 = \"{hash}\"\n").repeat(2)).contains("twice"));
    assert!(problem(&format!("[[key]]\nnumber = 1\nperson = 9\nsha256 = \"{hash}\"\n")).contains("no person 9"));
    assert!(problem("[[person]]\nnumber = 1\nrole = \"king\"\n").contains("owner, family, guest"));
    let person = "[[person]]\nnumber = 1\nrole = \"family\"\n";
    assert!(problem(&person.repeat(2)).contains("twice"));
    let link = format!("[[link]]\nperson = 1\nuntil = \"soon\"\ndevices = 3\nsha256 = \"{hash}\"\n");
    assert!(problem(&format!("{person}{link}")).contains("until is no time"));
    assert!(problem(&link).contains("no such person"));
    assert!(problem(&format!("[[key]]\nnumber = 4294967296\nsha256 = \"{hash}\"\n")).contains("too large"));
}

#[test]
fn homes_of_the_same_people_share_a_key_and_others_do_not() {
    let with = |devices: &[u8], link: Option<u8>| {
        let mut people = People::new();
        let anna = people.add_person(None, Role::Owner);
        for device in devices {
            people.add_device(anna, key(*device).hash(), String::new());
        }
        if let Some(link) = link {
            let (until, person) = (Duration::from_secs(1), people.person(anna).unwrap().clone());
            people.take_link(person, Link { person: anna, hash: key(link).hash(), until, devices: 1, used: 0 });
        }
        people
    };
    let home = with(&[1, 2], Some(3));
    assert!(home.shares_a_key(&with(&[2, 4], None)) && home.shares_a_key(&with(&[], Some(3))));
    assert!(!home.shares_a_key(&with(&[4, 5], Some(6))) && !home.shares_a_key(&People::new()));
}
