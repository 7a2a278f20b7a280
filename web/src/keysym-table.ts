// X keysyms by the names of KeyboardEvent (UI Events `key` and `code` values). Numbers: X11 keysymdef.h, XF86keysym.h.

/** Keysyms of a `key` name: one, or those of location standard, left, right and numpad. */
type Located = number | readonly [standard: number, left: number, right: number, numpad: number];

const shift = (left: number, right: number): Located => [left, left, right, left];
const pad = (standard: number, numpad: number): Located => [standard, standard, standard, numpad];

/** By `KeyboardEvent.key`; keys that print are not here. */
export const NAMED: Readonly<Record<string, Located>> = {
  Backspace: 0xff08,
  Tab: pad(0xff09, 0xff89),
  Clear: pad(0xff0b, 0xff9d),
  Enter: pad(0xff0d, 0xff8d),
  Pause: 0xff13,
  ScrollLock: 0xff14,
  Escape: 0xff1b,
  Delete: pad(0xffff, 0xff9f),

  // Modifiers and locks
  Shift: shift(0xffe1, 0xffe2),
  Control: shift(0xffe3, 0xffe4),
  CapsLock: 0xffe5,
  Meta: shift(0xffeb, 0xffec),
  OS: shift(0xffeb, 0xffec),
  Super: shift(0xffeb, 0xffec),
  Hyper: shift(0xffed, 0xffee),
  Alt: shift(0xffe9, 0xffea),
  AltGraph: 0xfe03,
  NumLock: 0xff7f,
  ModeChange: 0xff7e,
  GroupNext: 0xfe08,
  GroupPrevious: 0xfe0a,
  GroupFirst: 0xfe0c,
  GroupLast: 0xfe0e,

  // Movement
  Home: pad(0xff50, 0xff95),
  ArrowLeft: pad(0xff51, 0xff96),
  ArrowUp: pad(0xff52, 0xff97),
  ArrowRight: pad(0xff53, 0xff98),
  ArrowDown: pad(0xff54, 0xff99),
  PageUp: pad(0xff55, 0xff9a),
  PageDown: pad(0xff56, 0xff9b),
  End: pad(0xff57, 0xff9c),

  // Editing and commands
  Select: 0xff60,
  Print: 0xff61,
  PrintScreen: 0xff61,
  Execute: 0xff62,
  Insert: pad(0xff63, 0xff9e),
  Undo: 0xff65,
  Redo: 0xff66,
  ContextMenu: 0xff67,
  Find: 0xff68,
  Cancel: 0xff69,
  Help: 0xff6a,
  Cut: 0x1008ff58,
  Copy: 0x1008ff57,
  Paste: 0x1008ff6d,

  // Input methods
  Compose: 0xff20,
  Multi_key: 0xff20,
  CodeInput: 0xff37,
  SingleCandidate: 0xff3c,
  AllCandidates: 0xff3d,
  PreviousCandidate: 0xff3e,
  KanjiMode: 0xff21,
  NonConvert: 0xff22,
  Convert: 0xff23,
  Romaji: 0xff24,
  Hiragana: 0xff25,
  Katakana: 0xff26,
  HiraganaKatakana: 0xff27,
  Zenkaku: 0xff28,
  Hankaku: 0xff29,
  ZenkakuHankaku: 0xff2a,
  KanaMode: 0xff2d,
  Eisu: 0xff2f,
  Alphanumeric: 0xff30,
  HangulMode: 0xff31,
  HanjaMode: 0xff34,
  JunjaMode: 0xff38,

  // Media and application keys (XF86)
  BrightnessUp: 0x1008ff02,
  BrightnessDown: 0x1008ff03,
  AudioVolumeDown: 0x1008ff11,
  AudioVolumeMute: 0x1008ff12,
  AudioVolumeUp: 0x1008ff13,
  MediaPlay: 0x1008ff14,
  MediaPlayPause: 0x1008ff14,
  MediaStop: 0x1008ff15,
  MediaTrackPrevious: 0x1008ff16,
  MediaTrackNext: 0x1008ff17,
  MediaPause: 0x1008ff31,
  MediaRecord: 0x1008ff1c,
  MediaRewind: 0x1008ff3e,
  MediaFastForward: 0x1008ff97,
  Eject: 0x1008ff2c,
  BrowserHome: 0x1008ff18,
  BrowserSearch: 0x1008ff1b,
  BrowserBack: 0x1008ff26,
  BrowserForward: 0x1008ff27,
  BrowserStop: 0x1008ff28,
  BrowserRefresh: 0x1008ff29,
  BrowserFavorites: 0x1008ff30,
  LaunchMail: 0x1008ff19,
  LaunchCalculator: 0x1008ff1d,
  LaunchApplication2: 0x1008ff1d,
  LaunchMyComputer: 0x1008ff33,
  LaunchApplication1: 0x1008ff33,
  LaunchMediaPlayer: 0x1008ff32,
  LaunchWebBrowser: 0x1008ff2e,
  PowerOff: 0x1008ff2a,
  Power: 0x1008ff2a,
  Standby: 0x1008ff10,
  WakeUp: 0x1008ff2b,
};

/** What a numpad key prints, by the character it gives. */
export const KEYPAD: Readonly<Record<string, number>> = {
  "*": 0xffaa,
  "+": 0xffab,
  ",": 0xffac,
  "-": 0xffad,
  ".": 0xffae,
  "/": 0xffaf,
  "=": 0xffbd,
  " ": 0xff80,
};

/** Keys by `KeyboardEvent.code`, for events whose `key` says nothing. */
export const BY_CODE: Readonly<Record<string, number>> = {
  ShiftLeft: 0xffe1,
  ShiftRight: 0xffe2,
  ControlLeft: 0xffe3,
  ControlRight: 0xffe4,
  AltLeft: 0xffe9,
  AltRight: 0xffea,
  MetaLeft: 0xffeb,
  MetaRight: 0xffec,
  CapsLock: 0xffe5,
  Lang1: 0xff31,
  Lang2: 0xff34,
  IntlRo: 0x5f,
  IntlYen: 0xa5,
  NonConvert: 0xff22,
  Convert: 0xff23,
  KanaMode: 0xff27,
};

/** Dead keys by the combining accent that some layouts report for them. */
export const DEAD: Readonly<Record<string, number>> = {
  "\u0300": 0xfe50, // grave
  "\u0301": 0xfe51, // acute
  "\u0302": 0xfe52, // circumflex
  "\u0303": 0xfe53, // tilde
  "\u0304": 0xfe54, // macron
  "\u0306": 0xfe55, // breve
  "\u0307": 0xfe56, // above dot
  "\u0308": 0xfe57, // diaeresis
  "\u030a": 0xfe58, // above ring
  "\u030b": 0xfe59, // double acute
  "\u030c": 0xfe5a, // caron
  "\u0327": 0xfe5b, // cedilla
  "\u0328": 0xfe5c, // ogonek
  "\u0345": 0xfe5d, // iota
  "\u0323": 0xfe60, // below dot
  "\u0309": 0xfe61, // hook
  "\u031b": 0xfe62, // horn
};
