// Every sentence that the page says, in English, and which of them fits. Short and plain: the family reads them.
import { momentWords } from './when.js';

/** The English catalogue. Each other language has the same keys in a file of its own, `words-LANGUAGE.json`. */
export const ENGLISH = {
  home: 'Home',

  // What is said while there is no living picture.
  'live.text': 'You are at home. {home} is live.',
  'tap.text': 'Your browser waits for you: tap, click or press Enter, and home plays.',
  'connecting.title': 'On the way home',
  'connecting.text': 'One moment, the picture is coming.',
  'reconnecting.title': 'One moment',
  'reconnecting.text': 'The connection was lost. It comes back by itself.',
  'restarting.title': 'One moment',
  'restarting.text': 'Home is restarting. The picture comes back by itself.',
  'thin.title': 'Sound comes first',
  'thin.text': 'This connection is very slow. You can hear home already, and the picture follows as soon as it gets through.',
  'stuck.title': 'No picture yet',
  'stuck.text': 'You are connected, but home’s picture does not come through. The page keeps trying.',
  'barred.title': 'No connection yet',
  'barred.text': 'Home answers, but its picture cannot reach you. A network on the way may block it. The page keeps trying.',
  'codec-comes.title': 'You can hear home',
  'codec-comes.text': 'You can talk, too. The picture is not there yet: this browser is still without H.264, the video format of home.',
  'no-codec.title': 'You can hear home and talk',
  'no-codec.text': 'There is no picture on either side, because this browser has no H.264 video. If it gets that, the picture comes by itself. Another browser may have it already.',
  'snapshots.text': 'You can hear home and talk. Single pictures come instead of video, as often as the connection allows: this browser has no H.264.',
  'offline.title': 'Home is offline',
  'offline.text': 'It does not answer right now. Leave this page open: it connects by itself as soon as home is back.',
  'device-offline.title': 'You are offline',
  'device-offline.text': 'This device has no network right now. The page connects by itself as soon as it has.',
  'misdirected.title': 'The way home is set up wrongly',
  'misdirected.text': 'A reverse proxy in front of home hides the address that you opened, so home refuses this page. Whoever set it up must pass the header “Host” on. The log at home says more.',
  'refused.title': 'Home does not let this page in',
  'refused.text': 'Load it again: your browser may ask once more whether you trust home. If it says that it cannot connect, home is off, and you can try later.',
  'busy.title': 'Your link is in use elsewhere',
  'busy.text': 'Close the page on another device or in another tab. This page tries again by itself every 15 seconds.',
  'full.title': 'The house is full',
  'full.text': 'As many people as home allows are visiting. This page tries again by itself every 15 seconds.',
  'blocked.title': 'One step is missing',
  'blocked.text': 'Your browser shows this page, but it does not trust home’s certificate enough for picture and sound.',
  'no-key.title': 'The link is not complete',
  'no-key.text': 'Open the whole link that home gave you, or paste it here.',
  'code.title': 'This link or code has expired',
  'code.text': 'A link works for some days, on a few devices. A code on the TV works once, within ten minutes. Ask someone at home for a new one.',
  'wrong-key.title': 'This link does not open home',
  'wrong-key.text': 'It may be old. Ask someone at home for a new one and open it, or paste it here.',
  'revoked.title': 'This link was withdrawn',
  'revoked.text': 'Home no longer lets it in. Ask someone at home for a new one.',
  'left.title': 'You have left',
  'left.text': 'Home no longer sees or hears you.',
  'knock.title': 'Knocking at {home} …',
  'knock.text': 'As soon as somebody lets you in, you see and hear each other. Until then nobody at home sees or hears you.',
  'knock.stop': 'Stop knocking',
  'preview.text': 'You will be inside in a moment, with sound. Until then nobody at home sees or hears you.',
  'curtain.title': 'Home has drawn the curtain',
  'curtain.text': 'You can be heard and seen. The picture comes back by itself.',
  'curtain-heard.title': 'Home has drawn the curtain',
  'curtain-heard.text': 'You can be heard. The sound comes back by itself.',
  'declined.title': 'Not right now',
  'declined.text': 'It does not suit them at home just now. Perhaps a little later.',
  'no-answer.title': 'Nobody answered',
  'no-answer.text': 'Perhaps nobody is near the screen at home. You can knock again whenever you like.',
  'resting.title': 'Home is resting until {time}',
  'resting.text': 'These are quiet hours there. Visits are welcome again afterwards.',
  'resting-now.title': 'Home is resting',
  'resting-now.text': 'These are quiet hours there. Try again later.',
  'ended.title': 'Home has ended the visit',
  'ended.text': 'Nobody there sees or hears you any more. You can come again.',
  'no-webrtc.title': 'This browser does not support video calls',
  'no-webrtc.text': 'Please use another browser, or a newer version of this one.',
  'version.title': 'This page is too old',
  'version.text': 'Home was updated. Close this page, and open it again in a minute.',

  // Below that sentence.
  'paste.label': 'Link to home',
  'paste.hint': 'Paste the link here',
  'paste.open': 'Open',
  'action.return': 'Come back',
  'action.again': 'Try again',
  'action.knock': 'Knock again',
  'action.enter': 'Enter again',
  'action.reload': 'Load again',
  'action.trust': 'Show me how',

  // The one tap that the browser waits for.
  'tap.all': 'Tap to see and hear home',
  'tap.picture': 'Tap to see home',
  'tap.sound': 'Tap to hear home',
  'tap.unmute': 'Tap for sound',

  // The question for a device or both, and the way to turn nothing on.
  'ask.both.title': 'Turn on your microphone and camera?',
  'ask.both.text': 'Home then hears and sees you. Your browser asks first. Sound and picture go to home only, and only while this page is open.',
  'ask.mic.title': 'Turn on your microphone?',
  'ask.mic.text': 'Home then hears you. Your browser asks first. Sound goes to home only, and only while this page is open.',
  'ask.cam.title': 'Turn on your camera, too?',
  'ask.cam.text': 'Home then sees you. Your browser asks first. The picture goes to home only, and only while this page is open.',
  'ask.on': 'Turn on',
  'decline.watch': 'Just watch',
  'decline.listen': 'Just listen',
  'decline.later': 'Not now',

  // What things are, for screen readers.
  'label.picture': 'Live picture from home',
  'label.snapshot': 'A picture from home',
  'label.self': 'Your own picture',
  'label.self-moves': 'Your own picture, arrow keys move it',
  'label.dock': 'Call',
  'label.mic': 'Microphone',
  'label.cam': 'Camera',
  'label.switch': 'Use the other camera',
  'label.show-self': 'Show your own picture',
  'label.hide-self': 'Hide your own picture',
  'label.sound': 'Home’s sound',
  'label.fullscreen': 'Full screen',

  // Below the buttons. There is room for ten letters.
  'dock.mic': 'Mic',
  'dock.cam': 'Camera',
  'dock.switch': 'Flip',
  'dock.self': 'Me',
  'dock.sound': 'Sound',
  'dock.fullscreen': 'Full screen',
  'dock.leave': 'Leave',

  // What the buttons do; the letter is the key that does the same.
  'control.mic.on': 'Turn your microphone off (M)',
  'control.mic.off': 'Turn your microphone on (M)',
  'control.cam.on': 'Turn your camera off (C)',
  'control.cam.off': 'Turn your camera on (C)',
  'control.switch': 'Use the other camera (X)',
  'control.sound.on': 'Mute home (S)',
  'control.sound.off': 'Hear home (S)',
  'control.volume': 'How loud you are at home (+ and −)',
  'control.fullscreen.on': 'Leave full screen (F)',
  'control.fullscreen.off': 'Full screen (F)',
  'control.self': 'Show your own picture (V)',

  // The slider.
  'volume.label': 'Volume at home',
  'volume.percent': '{n} %',
  'volume.spoken': '{n} percent',

  // What the little bars mean, and the word beside them.
  'quality.good': 'Good connection',
  'quality.weak': 'Weak connection',
  'quality.poor': 'Poor connection',
  'mark.reconnecting': 'reconnecting',

  // Small notices over the picture.
  'note.snapshots': 'Single pictures come instead of video, as often as the connection allows: this browser has no H.264.',
  'note.unplugged': 'Home’s camera is unplugged. You can still talk.',
  'note.preview': 'You will be inside in a moment, with sound. Until then nobody at home sees or hears you.',
  'note.mic-ready': 'Your microphone is on. Home hears you once you are in.',
  'note.cam-ready': 'Your camera is on. Home sees you once you are in.',
  'note.muted': 'Home has muted its microphone.',
  'note.both-on': 'Home hears and sees you',
  'note.mic-on': 'Home hears you',
  'note.mic-off': 'Your microphone is off',
  'note.cam-on': 'Home sees you',
  'note.cam-off': 'Your camera is off',
  'note.sound-off': 'Home’s sound is off',
  'note.mic-paused': 'Your device has paused the microphone, perhaps for a phone call.',
  'note.cam-paused': 'Your device has paused the camera.',
  'note.mic-lost': 'The microphone is gone. Plug it in again, or choose another one in your device’s settings.',
  'note.cam-lost': 'The camera is gone. Plug it in again and turn it on here.',
  'note.mic-missing': 'This device has no microphone, so home cannot hear you.',
  'note.cam-missing': 'This device has no camera, so home cannot see you.',
  'note.mic-busy': 'The microphone does not start. Perhaps another program is using it.',
  'note.cam-busy': 'The camera does not start. Perhaps another program is using it.',
  'note.bad-link': 'There is no key in that. Paste the whole link, with all letters behind the # sign.',

  // Lines that stay until somebody has read them.
  'line.close': 'Close this line',
  'line.owner': 'You are an owner here now. “People” at the top says who may visit.',
  'line.no-owner': 'You are not an owner here any more. So you do not see the page about people.',
  'line.quiet': 'Home has quiet hours until {time}',
  'install.text': 'Shall home be an icon on this device? Then one tap takes you there.',
  'install.add': 'Add the icon',
  'install.by-hand': 'Home as an icon: copy your link, tap “Share”, then “Add to Home Screen”. If the icon asks for your link, paste it there. It is for this phone only.',
  'install.copy': 'Copy my link',
  'missed.today': 'Home called at {time}',
  'missed.day': 'Home called on {day} at {time}',

  // Home calls.
  'call.title': 'Home is calling',
  'call.answer': 'I’m here',

  // At the door, for owners inside.
  'door.label': 'At the door',
  'door.knocks': '{name} knocks',
  'door.someone-knocks': 'Somebody knocks',
  'door.comes': '{name} is coming in',
  'door.someone-comes': 'Somebody is coming in',
  'door.let-in': 'Let in',

  // The owner's page.
  'people.title': 'People',
  'people.back': 'Back',
  'people.close': 'Close',
  'people.loading': 'One moment, home is being asked.',
  'people.lost': 'There is no connection to home just now. What you change is kept.',
  'people.denied': 'You are not an owner here any more. So you cannot change anything on this page.',
  'people.gone': 'Another owner has removed this person.',
  'people.no-name': 'No name',
  'people.you': 'You',
  'people.here': 'Here now',
  'people.devices.one': '{n} device',
  'people.devices.other': '{n} devices',
  'people.no-device': 'No device yet',
  'people.invited-until': 'Invited until {day}',
  'people.unsaved': 'Not saved yet',
  'people.invite': 'Invite',
  'people.code-shown': 'The TV shows a code.',
  'people.code-away': 'Take it away',
  'people.save': 'Save',
  'people.saving': 'Saving …',
  'people.saved': 'Saved',

  'role.owner': 'Owner',
  'role.owner.text': 'Comes in at once, and decides with you who may visit.',
  'role.family': 'Family',
  'role.family.text': 'Comes in at once, and knocks in quiet hours.',
  'role.guest': 'Guest',
  'role.guest.text': 'Knocks until somebody opens, and stays outside in quiet hours.',
  'as.owner': 'As an owner: {rule}',
  'as.family': 'As family: {rule}',
  'as.guest': 'As a guest: {rule}',
  'entering.at_once': 'Comes in at once',
  'entering.preview': 'Comes in after ten seconds’ notice',
  'entering.knock': 'Knocks until somebody opens',
  'quiet.enter': 'Comes in as always',
  'quiet.knock': 'Knocks',
  'quiet.refuse': 'Stays outside',

  'invite.title': 'Invite somebody',
  'invite.name': 'Name, if you like',
  'invite.role': 'How do they come?',
  'invite.link': 'Make a link',
  'invite.code': 'Show a code on the TV',
  'invite.code-text': 'The link is for somebody far away. The code is for a phone in front of the TV: it works once, for ten minutes.',
  'link.title': 'A link for {name}',
  'link.title-nobody': 'The link is ready',
  'link.text.one': 'It works until {time}, on {n} device. Send it to nobody else.',
  'link.text.other': 'It works until {time}, on {n} devices. Send it to nobody else.',
  'link.share': 'Send',
  'link.copy': 'Copy',
  'link.copied': 'Copied',
  'link.by-hand': 'Your browser does not copy it. The link is marked: copy it by hand.',
  'link.field': 'The link',
  'link.code': 'The link as a code for the camera of a phone',

  'person.name': 'Name',
  'person.role': 'Role',
  'person.entering': 'Coming in',
  'person.in-quiet-hours': 'In quiet hours',
  'person.own-hours': 'Quiet hours of their own',
  'person.home-hours': 'The quiet hours of home count: {hours}',
  'person.no-hours': 'Home has no quiet hours.',
  'person.device': 'Another device',
  'person.device-text': 'Makes a link for a further or a new phone of this person.',
  'person.remove': 'Remove',
  'person.remove-text': 'This ends their visits at once. Their devices and links will not open home any more.',
  'person.remove-you': 'This is you. Your visit ends at once, and your devices will not open home any more.',
  'person.remove-sure': 'Remove {name}?',
  'person.remove-yes': 'Yes, remove',
  'person.remove-no': 'Keep',

  'hours.title': 'Quiet hours',
  'hours.text': 'In quiet hours family knocks, guests stay outside, and owners come in as always. Each person may have a rule of their own.',
  'hours.on': 'Quiet hours at home',
  'hours.from': 'From',
  'hours.to': 'Until',
  'hours.range': '{from} to {to}',
  'hours.none': 'None',

  // The visit log.
  'visits.title': 'Visits',
  'visits.row': 'Who was here, and when',
  'visits.none': 'Nobody has visited yet. Each visit is written here, with its time and how long it lasted.',
  'visits.everybody': 'Everybody',
  'visits.trial': 'Trial key',
  'visits.short': 'Less than a minute',
  'visits.unknown': 'End not known',
  'visits.missed': 'Knocked, nobody answered',
  'visits.declined': 'Was not let in',
  'visits.resting': 'Came in quiet hours',
  'visits.called': 'Home called, nobody answered',
  'visits.erase': 'Erase the log',
  'visits.erase-sure': 'Erase the whole log?',
  'visits.erase-text': 'It is gone for all owners. Only visits that last stay in it.',
  'visits.erase-yes': 'Yes, erase',

  // Why home did not do it.
  'why.name': 'Home cannot take this name. A name has at most 40 letters, and nothing invisible.',
  'why.hours': 'Please set both times, and not the same one twice.',
  'why.last_owner': 'This is the last owner. Make somebody else an owner first.',
  'why.unknown': 'Home does not know this person any more.',
  'why.storage': 'Home could not save it. Please try again.',
  'why.too_many': 'Home has no room for more people or links. Remove some first.',
  'why.lost': 'There is no connection to home just now. Try again in a moment.',
  'why.given-up': 'The connection broke, and home may have made the link. If the list has somebody new, choose “Another device” there.',
  'why.other': 'Home did not do it. Please try again.',

  // When the browser refuses a device. With sound only nobody sees anybody.
  'refusal.microphone.title': 'Your microphone is blocked',
  'refusal.microphone.text': 'You still see and hear home. To be heard:',
  'refusal.microphone.heard': 'You still hear home. To be heard:',
  'refusal.camera.title': 'Your camera is blocked',
  'refusal.camera.text': 'You still see and hear home. To be seen:',
  'refusal.camera.heard': 'You still hear home. To be seen:',
  'refusal.both.title': 'Microphone and camera are blocked',
  'refusal.both.text': 'You still see and hear home. To be heard and seen:',
  'refusal.both.heard': 'You still hear home. To be heard and seen:',

  // The ways to allow a microphone and a camera again, browser by browser, with the names that its menus show.
  'unblock.ios-safari.1': 'Tap the page menu at the left end of the address bar, then “⋯” or “Website Settings”.',
  'unblock.ios-safari.2': 'Set Microphone and Camera to “Allow”.',
  'unblock.ios-safari.3': 'Not there? Open Settings › Apps › Safari › Camera and Microphone.',
  'unblock.ios-other.1': 'Open your iPhone’s Settings › Apps and choose this browser.',
  'unblock.ios-other.2': 'Turn on Microphone and Camera.',
  'unblock.ios-other.3': 'Come back here and tap “Try again”.',
  'unblock.android-chrome.1': 'Tap the symbol at the left end of the address bar, then “Permissions”.',
  'unblock.android-chrome.2': 'Allow Microphone and Camera.',
  'unblock.android-chrome.3': 'Not there? Open Android’s Settings › Apps › this browser › Permissions.',
  'unblock.android-firefox.1': 'Tap the lock in the address bar.',
  'unblock.android-firefox.2': 'Tap Camera and Microphone until they say “Allowed”.',
  'unblock.android-firefox.3': 'Not there? Open Android’s Settings › Apps › Firefox › Permissions.',
  'unblock.chrome.1': 'Click the symbol at the left end of the address bar.',
  'unblock.chrome.2': 'Turn on Microphone and Camera.',
  'unblock.chrome.3': 'Then press “Try again” here.',
  'unblock.firefox.1': 'Click the crossed-out microphone or camera in the address bar.',
  'unblock.firefox.2': 'Remove “Blocked”.',
  'unblock.firefox.3': 'Then press “Try again” and allow both.',
  'unblock.safari.1': 'Open the menu Safari › Settings for This Website.',
  'unblock.safari.2': 'Set Camera and Microphone to “Allow”.',
  'unblock.safari.3': 'Then press “Try again” here.',
  'unblock.system.1': 'It is the device itself that does not let your browser use them.',
  'unblock.system.2': 'Open the system’s privacy settings and allow Microphone and Camera for your browser.',
  'unblock.system.3': 'Then come back and press “Try again”.',
  'unblock.other.1': 'Open the settings for this page, usually at the left end of the address bar.',
  'unblock.other.2': 'Allow Microphone and Camera.',
  'unblock.other.3': 'Then press “Try again” here.',
};

// The catalogue of another language, once it is here.
let spoken = {};
// Of dates and numbers: a tag like 'de-CH'.
let tongue = 'en';

/** From now on the page says what `catalogue` has, and the rest in English; it writes dates as people of `locale` do. */
export function speak(catalogue, locale = 'en') {
  spoken = catalogue;
  tongue = locale;
}

/** How people write dates and numbers in the language of the page. */
export const locale = () => tongue;

/** The sentence behind `key` for `n` things: catalogues have one for 'one' and one for all 'other' numbers. */
export function count(key, n, values = {}) {
  const kind = new Intl.PluralRules(tongue).select(n) === 'one' ? 'one' : 'other';
  return say(`${key}.${kind}`, { n: n.toLocaleString(tongue), ...values });
}

// Marks of direction, which a name may bring along, would turn the sentence around it.
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name as a part of a sentence, whatever its script. */
export const isolated = (name) => `\u2068${name.replace(DIRECTION, '')}\u2069`;

/** The sentence behind `key`, with `values` in place of its `{names}`; null if there is none. */
export function say(key, values = {}) {
  return filled(spoken[key], values) ?? filled(ENGLISH[key], values);
}

/** Null for a sentence that wants a value which nobody has: it is of another version of the page. */
function filled(sentence, values) {
  if (typeof sentence !== 'string' || !sentence.trim()) return null;
  let whole = true;
  const text = sentence.replace(/\{(\w+)\}/g, (_, name) => {
    whole &&= name in values;
    return values[name];
  });
  return whole ? text : null;
}

/** What a state is called and what it means: `{ title, text }`. `view` is the visit's, `online` the device's network, `now` in ms since 1970. */
export function stateWords(view, online, now = Date.now()) {
  const home = homeName(view);
  const key = situation(view, online);
  const time = key === 'resting' ? momentWords(view.until, now, tongue) : '';
  const title = ['live', 'preview', 'tap', 'snapshots'].includes(key) ? home : say(`${key}.title`, { home: isolated(home), time });
  return { title, text: say(`${key}.text`, { home }) };
}

/** What the family calls home. */
export const homeName = (view) => view.home ?? say('home');

/** Which of the sentences fits: the beginning of its key. */
export function situation(view, online) {
  switch (view.state) {
    case 'live':
      return view.entry === 'preview' ? 'preview' : 'live';
    case 'curtain':
      return view.soundOnly ? 'curtain-heard' : 'curtain';
    case 'resting':
      return Number.isFinite(view.until) ? 'resting' : 'resting-now';
    case 'sound':
      if (view.snapshot) return 'snapshots';
      return view.late ? 'no-codec' : 'codec-comes';
    case 'connecting':
      return hindrance(view) ?? 'connecting';
    case 'reconnecting':
      if (!online) return 'device-offline';
      if (view.restarting) return 'restarting';
      return hindrance(view) ?? 'reconnecting';
    case 'offline':
      if (!online) return 'device-offline';
      if (view.misdirected) return 'misdirected';
      return view.refused ? 'refused' : 'offline';
    case 'full':
      return view.busy ? 'busy' : 'full';
    case 'wrong-link':
      return view.reason === 'no-key' || view.reason === 'code' ? view.reason : 'wrong-key';
    case 'unsupported':
      return view.reason === 'version' ? 'version' : 'no-webrtc';
    default:
      return view.state;
  }
}

function hindrance({ thin, stuck, barred }) {
  if (thin) return 'thin';
  if (stuck) return 'stuck';
  return barred ? 'barred' : null;
}

/** What the one tap does that the browser waits for: is there a `picture`, and has the person not turned off the `sound`? */
export function tapWords({ picture, sound }) {
  if (!picture) return say('tap.sound');
  return sound ? say('tap.all') : say('tap.picture');
}

/** The one button with which a person comes again, after leaving or after home's farewell. */
export function returnWords({ state, entry }) {
  if (state === 'no-answer' || (state === 'declined' && entry === 'knock')) return say('action.knock');
  if (state === 'declined' || state === 'ended') return say('action.enter');
  return say(state === 'resting' ? 'action.again' : 'action.return');
}

/** The question for 'both', 'mic' or 'cam'. */
export const questionWords = (which) => ({ title: say(`ask.${which}.title`), text: say(`ask.${which}.text`) });

/** The way to turn nothing on; `later` where the answer is for this visit only. */
export function declineWords({ later, soundOnly }) {
  if (later) return say('decline.later');
  return soundOnly ? say('decline.listen') : say('decline.watch');
}

/** What to show when the browser refuses; `devices` is 'microphone', 'camera' or 'both'. With `soundOnly` nobody sees anybody. */
export function blockedWords(devices, browser, soundOnly = false) {
  const way = `unblock.${browser}.1` in ENGLISH ? browser : 'other';
  return {
    title: say(`refusal.${devices}.title`),
    text: say(`refusal.${devices}.${soundOnly ? 'heard' : 'text'}`),
    steps: [1, 2, 3].map((step) => say(`unblock.${way}.${step}`)),
  };
}

/** Which of the ways to allow a device fits, out of the browser's name for itself. */
export function browserKind(agent, touchPoints = 0) {
  const apple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touchPoints > 1);
  if (apple) return /CriOS|FxiOS|EdgiOS|OPiOS|DuckDuckGo/.test(agent) ? 'ios-other' : 'ios-safari';
  if (/Android/.test(agent)) return /Firefox/.test(agent) ? 'android-firefox' : 'android-chrome';
  if (/Firefox/.test(agent)) return 'firefox';
  if (/Chrome|Chromium|Edg/.test(agent)) return 'chrome';
  return /Safari/.test(agent) ? 'safari' : 'other';
}
