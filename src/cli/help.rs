//! What the commands say of themselves.

/// What `--help` prints.
pub const HELP: &str = "\
intercom - see, hear and talk to home from a browser

Usage: intercom COMMAND [OPTION]...

Commands:
  run             be the intercom, until Ctrl-C or SIGTERM
  link            make a link for a new viewer, or end one with --revoke
  people          list who may visit, change what one may do, save and restore people
  mute            mute home's microphone, or open it again with --off
  curtain         let nobody see or hear home, or open the curtain with --off
  visits          tell who visited, or forget it with --erase
  call [PERSON]   call everybody, or one person: open pages ring
  status          tell who visits and how it is, as JSON
  reset           forget all keys, pairings and certificates, as on the first day
  doctor          look at cameras, sound, screens and network, and tell what is wrong
  check [FILE]    tell what a config would run, or what is wrong with it
  update [FILE]   install a signed update of the flashed image
  settings        turn the settings partition's files into what the flashed image reads
  wifi            join the Wi-Fi of the settings partition, on the flashed image
  name            publish home's name on one network at a time, on the flashed image
  stick           save people on a stick, or restore them, on the flashed image
  drivers         list the drivers for cameras, microphones, speakers and displays

Options:
  -h, --help      this text, or with a command more about it
  -V, --version   the version

Without --config, /etc/intercom/intercom.toml is read, or if there is none the
built-in defaults. Exit code: 0 done, 1 failed, 2 command line or config wrong.
";

/// What `intercom run --help` prints.
pub const RUN_HELP: &str = "\
intercom run - be the intercom, until Ctrl-C or SIGTERM

Usage: intercom run [--config FILE] [--no-link] [--last-good FILE]
                    [--notices FOLDER] [--invite-key KEY]

  --config FILE   the settings; see etc/intercom.toml for all of them
  --no-link       print no link with a key in it (for services, whose output is
                  kept in a log); ask for one with `intercom link`
  --last-good FILE
                  keep the settings there once they run; if the config is wrong later,
                  those from before run instead, and the TV tells the mistake
  --notices FOLDER
                  what else the TV has to tell: the first line of each file in there (at
                  most four, by name; none that begins with a dot), at any time
  --invite-key KEY
                  the key that [buttons] invite = \"auto\" means, such as KEY_ENTER

Prints a line `open: https://ADDRESS:PORT/#k=KEY` for each address at which this
home can be reached, a QR code of the best one, and the fingerprints of home's CA and
of the certificate that a browser shows at the best address.
Anyone with the link can see and hear this home.
";

/// What `intercom link --help` prints.
pub const LINK_HELP: &str = "\
intercom link - make a link for a new viewer, or end one

Usage: intercom link [--name NAME] [--role ROLE] [--days N] [--devices N] [--config FILE]
       intercom link --tv [--name NAME] [--role ROLE] [--config FILE]
       intercom link --revoke N [--config FILE]

  --tv            show a code on the TV instead, for a phone that is at home: it
                  can be used once, within ten minutes
  --name NAME     what the TV calls the viewer; at most 40 letters
  --role ROLE     owner: decides who may visit; family: comes in at once, the default;
                  guest: knocks. A code for the first device of all makes an owner
  --days N        the link must be opened within so many days; default 7
  --devices N     devices that it lets in, all within a day of its first opening,
                  each with a key of its own; default 3: messengers open links in
                  a browser of their own, so the first device is often the wrong one
  --revoke N      end the person or the key of number N: the link stops working,
                  and anyone who visits with it is sent away at once
  --config FILE   the config that the running intercom was started with

Works at once if the intercom runs, else as soon as it does. The link is shown
once and never again, and worth nothing a day after it was opened.
";

/// What `intercom people --help` prints.
pub const PEOPLE_HELP: &str = "\
intercom people - list who may visit, or change what one of them may do; save them

Usage: intercom people [N] [--json] [--config FILE]
       intercom people N [--name NAME | --no-name] [--role ROLE] [--entering WAY]
                         [--in-quiet-hours RULE] [--quiet-hours HOURS] [--config FILE]
       intercom people --save FOLDER | --restore FOLDER [--config FILE]

  N               the person's number
  --json          one JSON object for programs, instead of a table
  --name NAME     what home calls the person; at most 40 letters
  --no-name       home calls them nothing
  --role ROLE     owner: decides who may visit; family; guest
  --entering WAY  at_once: sees, hears and talks at once; preview: sees a frosted picture
                  for ten seconds first; knock: waits until home lets them in;
                  default: knock for a guest, at_once for others
  --in-quiet-hours RULE
                  enter: as at other times; knock: waits, and home does not ring;
                  refuse: comes in later; default: enter for an owner, knock for
                  family, refuse for a guest
  --quiet-hours HOURS
                  quiet hours of the person's own, such as 22:00-07:00; none: home's
  --save FOLDER   save people, their hashed keys and links, and what an owner set of home
                  in a new folder there, such as intercom-2026-11-30-1412
  --restore FOLDER
                  bring back what such a folder holds, or the newest one in FOLDER, where
                  nobody is known; an intercom that runs ends, and its service starts it
  --config FILE   the config that the running intercom was started with

What is not named stays as it is. It counts from the person's next visit, a role at
once. `intercom link` makes somebody new, and `intercom link --revoke N` ends a person.
The machine is yours: here, unlike on an owner's page, the last owner may be changed.
";

/// What `intercom mute --help` prints.
pub const MUTE_HELP: &str = "\
intercom mute - mute home's microphone, or open it again

Usage: intercom mute [--off] [--config FILE]

  --off           open it again
  --config FILE   the config that the running intercom was started with

While it is muted nobody hears home; the TV and the viewers' pages say so. Home stays
muted over restarts, updates and power cuts. A key or a button can do the same: see
[buttons] in etc/intercom.toml.
";

/// What `intercom curtain --help` prints.
pub const CURTAIN_HELP: &str = "\
intercom curtain - let nobody see or hear home, or open the curtain

Usage: intercom curtain [--off] [--config FILE]

  --off           open it
  --config FILE   the config that the running intercom was started with

Behind the curtain camera and microphone are off for all viewers; home still sees and
hears them. The TV and the viewers' pages say so. It stays drawn over restarts, updates
and power cuts. A key or a button can do the same: see [buttons] in etc/intercom.toml.
";

/// What `intercom visits --help` prints.
pub const VISITS_HELP: &str = "\
intercom visits - tell who visited, or forget it

Usage: intercom visits [--erase] [--json] [--config FILE]

  --erase         forget the visit log; visits that last stay in it
  --json          one JSON array instead of words
  --config FILE   the config that the running intercom was started with

The newest 500 visits: who, when, how long, and who did not come in. Owners see the
same on their page. Nothing else is recorded.
";

/// What `intercom call --help` prints.
pub const CALL_HELP: &str = "\
intercom call - call everybody, or one person: open pages ring

Usage: intercom call [PERSON] [--config FILE]

  PERSON          a person's number; `intercom people` lists them
  --config FILE   the config that the running intercom was started with

Rings for a minute, or until somebody answers. A command or an address can tell the
rest of the world: see [call] in etc/intercom.toml. Who opens home's page later reads
when home called. Never rely on it for emergencies.
";

/// What `intercom status --help` prints.
pub const STATUS_HELP: &str = "\
intercom status - tell who visits and how it is, as JSON

Usage: intercom status [--config FILE]

  --config FILE   the config that the running intercom was started with

Asks the running intercom: its visits and their connections, whether its microphone
is muted, how loud viewers are, what the TV has to tell (`notices`).
Exit code: 0 it answered, 1 it does not run.
";

/// What `intercom reset --help` prints.
pub const RESET_HELP: &str = "\
intercom reset - forget all keys, pairings and certificates, as on the first day

Usage: intercom reset [--config FILE]

  --config FILE   the config that the running intercom was started with

Asks nobody. All visits end at once, and every link, and every phone that was paired,
is refused from then on; the TV says so and shows a code. The settings stay as they
are. An intercom that runs ends, and its service starts it again. Browsers warn of the
new certificate once more, and a CA that was installed on a phone can be removed.
";

/// What `intercom check --help` prints.
pub const CHECK_HELP: &str = "\
intercom check - tell what a config would run, or what is wrong with it

Usage: intercom check [FILE]

Everything that is wrong is printed at once, as FILE:LINE: KEY: what is wrong, what
is allowed, and what was probably meant. Nothing is started.
";

/// What `intercom doctor --help` prints.
pub const DOCTOR_HELP: &str = "\
intercom doctor - tell what hardware there is, whether it works, and what to do

Usage: intercom doctor [--config FILE] [--json]

  --config FILE   the settings; see etc/intercom.toml for all of them
  --json          one JSON object for programs, instead of words for people

Lists cameras, sound cards, screens and addresses, and tries each device that the
config, or `auto`, chooses: the camera and the microphone for a moment, the speaker
and the screen only as far as nobody notices. If the intercom runs, its devices are
left to it, and it is asked how they are. Exit code: 0 all is well, 1 something is
wrong, 2 the command line or the config is.
";

/// What `intercom drivers --help` prints.
pub const DRIVERS_HELP: &str = "\
intercom drivers - list the drivers for cameras, microphones, speakers and displays

Usage: intercom drivers

Each with the word that chooses it, as in `[camera] driver = \"v4l2\"`, and the
options of its own table, as in `[camera.v4l2]`.
";

/// What `intercom update --help` prints.
pub const UPDATE_HELP: &str = "\
intercom update - install a signed update of the flashed image

Usage: intercom update [FILE|FOLDER|URL] [--restart] [--config FILE] [--last-good FILE]
       intercom update --confirm

Writes it to the slot that is not in use; the next start is its first. If that fails
three times, what runs now runs again, and the TV says so. What is not signed with the
key of the image's maker, not newer, or failed before is not taken. Of a folder, such
as a stick, the newest is taken; without FILE, the config's [update] url.

  --restart       restart the machine as soon as nobody is visiting
  --confirm       what has started runs well: tell what became of the last update
  --config FILE   the settings; see `intercom run --help`
  --last-good FILE
                  likewise
";

/// What `intercom settings --help` prints.
pub const SETTINGS_HELP: &str = "\
intercom settings - turn the files of the settings partition into what the system reads

Usage: intercom settings FROM TO

For the flashed image, which calls it at each start.

  FROM            the folder with wifi.txt and timezone.txt, as people write them
  TO              the folder for wifi.conf (for wpa_supplicant), localtime (a link to
                  a zone) and notices/wifi and notices/timezone (a mistake, for the TV)

What is clear is taken. Mistakes are printed as FILE:LINE: KEY: what is wrong, and are
no failure: without a clear time zone the clock shows UTC.
";

/// What `intercom wifi --help` prints.
pub const WIFI_HELP: &str = "\
intercom wifi - join the Wi-Fi of the settings partition, or say why that does not work

Usage: intercom wifi INTERFACE FOLDER

For the flashed image, which runs it for each Wi-Fi card. It runs wpa_supplicant.

  INTERFACE       the card's network interface, such as wlan0
  FOLDER          the folder with wifi.conf, and with notices/wifi-INTERFACE for the TV

After a minute without a network the notice says why: none in reach, a wrong password,
a router that refuses, no address, a switch.
";

/// What `intercom name --help` prints.
pub const NAME_HELP: &str = "\
intercom name - publish home's name, intercom.local, on one network at a time

Usage: intercom name FROM TO

For the flashed image, which runs it. On two networks with a reflector between them the
name would come back from the other one, and count as somebody else's.

  FROM            the folder with systemd-networkd's settings for each kind of card
  TO              the folder for the settings of single cards

A cable comes before Wi-Fi. The name stays where it is for as long as there is an address.
";

/// What `intercom stick --help` prints.
pub const STICK_HELP: &str = "\
intercom stick - save people on a stick with the label PEOPLE, or restore them

Usage: intercom stick FOLDER NOTICE [--config FILE]

For the flashed image, which runs it for each such stick. Where home knows people, they
are saved in a new folder of the stick, unless its newest one is the same. Where nobody
is known, the newest one is restored.

  FOLDER          where the stick is mounted; not there: it could not be opened
  NOTICE          the file that tells the TV what was done
  --config FILE   the config that the running intercom was started with
";

/// The words that print the help of a command.
pub fn help_command(name: &str) -> &'static str {
    match name {
        "run" => "intercom run --help",
        "link" => "intercom link --help",
        "people" => "intercom people --help",
        "mute" => "intercom mute --help",
        "curtain" => "intercom curtain --help",
        "visits" => "intercom visits --help",
        "call" => "intercom call --help",
        "status" => "intercom status --help",
        "reset" => "intercom reset --help",
        "doctor" => "intercom doctor --help",
        "check" => "intercom check --help",
        "update" => "intercom update --help",
        "settings" => "intercom settings --help",
        "drivers" => "intercom drivers --help",
        _ => "intercom --help",
    }
}
