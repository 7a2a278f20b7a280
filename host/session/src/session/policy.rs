//! What the operator allows.

/// What the operator allows. The defaults are 2.1.0's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// A second tab joins beside the owner instead of taking over (`enable_sharing`).
    pub sharing: bool,
    /// View-only pages are let in (`enable_shared`).
    pub shared: bool,
    /// Player pages 2, 3 and 4 are let in (`enable_player2`…).
    pub players: [bool; 3],
    /// Viewers with input rights may use them (`enable_collab`).
    pub collab: bool,
    /// Audio to clients.
    pub audio: bool,
    /// Microphone from clients.
    pub microphone: bool,
    /// `cmd`.
    pub command: bool,
    /// Seed-era uploads over the socket.
    pub upload: bool,
    /// Clipboard from clients.
    pub clipboard_in: bool,
    /// Clipboard to clients.
    pub clipboard_out: bool,
    /// Pictures and lists of files by the clipboard, until a page wishes otherwise (`enable_binary_clipboard`).
    pub clipboard_binary: bool,
    /// Pages have no wish about that.
    pub clipboard_binary_locked: bool,
    /// Gamepads.
    pub gamepad: bool,
    /// The display follows the owner's page (`enable_resize`).
    pub resize: bool,
    /// Sides of the display are multiples of 16, until a page wishes otherwise (`force_aligned_resolution`).
    pub aligned: bool,
    /// Pages have no wish about that.
    pub aligned_locked: bool,
    /// Most clients at once.
    pub max_clients: usize,
    /// Whether the capture backend is Wayland (told to pages).
    pub wayland: bool,
    /// Whether the input backend scrolls like a finger (told to pages).
    pub finger_scroll: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sharing: true,
            shared: true,
            players: [true; 3],
            collab: true,
            audio: true,
            microphone: false,
            command: false,
            upload: true,
            clipboard_in: true,
            clipboard_out: true,
            clipboard_binary: true,
            clipboard_binary_locked: false,
            gamepad: true,
            resize: true,
            aligned: false,
            aligned_locked: false,
            max_clients: 64,
            wayland: false,
            finger_scroll: false,
        }
    }
}
