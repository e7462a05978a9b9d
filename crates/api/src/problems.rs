//! Every problem an answer of this program can name: what it is, whose move it is, what to do.
//!
//! One table for the API, its `/problems` pages, the command line and the manual. A test holds it together
//! with the failures of the engine and the refusals of this crate, both ways.

use cccd_engine::ReadFailure;

/// One sentence in the two languages of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Vietnamese, for the person at the desk.
    pub vi: &'static str,
    /// English, for the developer.
    pub en: &'static str,
}

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Whoever stands at the desk with the card.
    User,
    /// Whoever runs the desk: plugs readers in, closes other programs.
    Operator,
    /// Whoever looks after the machine: services, settings, tokens.
    Admin,
    /// Whoever wrote the calling program.
    Integrator,
}

impl Actor {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Integrator => "integrator",
        }
    }
}

/// Whether the same request may succeed later, once the actor has made the move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request again may succeed.
    Worthwhile,
    /// The same request will fail the same way: change it first.
    Useless,
}

/// One kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// Its stable name, the last part of its type URI.
    pub code: &'static str,
    /// The HTTP status it travels with.
    pub status: u16,
    /// Whose move it is.
    pub actor: Actor,
    /// Whether to try again.
    pub retry: Retry,
    /// What happened, in a few words.
    pub title: Text,
    /// Why.
    pub cause: Text,
    /// What to do.
    pub remedy: Text,
}

impl Problem {
    /// The problem of this code.
    pub fn find(code: &str) -> Option<&'static Self> {
        PROBLEMS.iter().find(|problem| problem.code == code)
    }

    /// The problem a failed reading ends in.
    pub fn of(failure: ReadFailure) -> &'static Self {
        // A failure without an entry would be a fault of ours, and so it is called; a test keeps it away.
        Self::find(failure.code()).unwrap_or(&AGENT_FAULT)
    }

    /// The reference of its type (RFC 9457, 3.1.1), relative to the agent.
    pub fn type_reference(&self) -> String {
        format!("/problems/{}", self.code)
    }
}

/// What this crate itself refuses, before any reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    TokenMissing,
    TokenWrong,
    SessionRequired,
    SessionExpired,
    TokenClaimsInvalid,
    TokenExpired,
    TokenMisdirected,
    TokenReplayed,
    ReplayMemoryUnavailable,
    RateLimited,
    ProofWrong,
    ProofReplayed,
    PairingRequired,
    PairingNotAllowed,
    PairingNotFound,
    PairingCodeWrong,
    ProgramNotAllowed,
    DoorNotGranted,
    ChallengeRefused,
    HandoffNotAllowed,
    IdentityUnavailable,
    OriginNotAllowed,
    HostNotAllowed,
    TlsRequired,
    NotFound,
    MethodNotAllowed,
    MediaTypeUnsupported,
    BodyTooLarge,
    BodyTooSlow,
    BodyInvalid,
    ParameterInvalid,
    AccessKeyMissing,
    AccessKeyInvalid,
    ReadNotFound,
    ReadNotOver,
    ReadExpired,
    ResultTaken,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    IdempotencyKeySpent,
    PortraitAbsent,
    PortraitUndisplayable,
    BiometricAbsent,
    ScopeMissing,
    EvidenceUnavailable,
    ProfileNotGranted,
    ProfileUnavailable,
    OutboxUnavailable,
    RegisterUnavailable,
    RegisterNotFound,
    RosterInvalid,
    ExportImpossible,
    ImageUnusable,
    CodeNotFound,
    ScanNotFound,
    ScanTaken,
    ScanExpired,
    AgentNotReady,
}

impl Fault {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 58] = [
        Self::TokenMissing,
        Self::TokenWrong,
        Self::SessionRequired,
        Self::SessionExpired,
        Self::TokenClaimsInvalid,
        Self::TokenExpired,
        Self::TokenMisdirected,
        Self::TokenReplayed,
        Self::ReplayMemoryUnavailable,
        Self::RateLimited,
        Self::ProofWrong,
        Self::ProofReplayed,
        Self::PairingRequired,
        Self::PairingNotAllowed,
        Self::PairingNotFound,
        Self::PairingCodeWrong,
        Self::ProgramNotAllowed,
        Self::DoorNotGranted,
        Self::ChallengeRefused,
        Self::HandoffNotAllowed,
        Self::IdentityUnavailable,
        Self::OriginNotAllowed,
        Self::HostNotAllowed,
        Self::TlsRequired,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::MediaTypeUnsupported,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyInvalid,
        Self::ParameterInvalid,
        Self::AccessKeyMissing,
        Self::AccessKeyInvalid,
        Self::ReadNotFound,
        Self::ReadNotOver,
        Self::ReadExpired,
        Self::ResultTaken,
        Self::IdempotencyKeyInFlight,
        Self::IdempotencyKeyReused,
        Self::IdempotencyKeySpent,
        Self::PortraitAbsent,
        Self::PortraitUndisplayable,
        Self::BiometricAbsent,
        Self::ScopeMissing,
        Self::EvidenceUnavailable,
        Self::ProfileNotGranted,
        Self::ProfileUnavailable,
        Self::OutboxUnavailable,
        Self::RegisterUnavailable,
        Self::RegisterNotFound,
        Self::RosterInvalid,
        Self::ExportImpossible,
        Self::ImageUnusable,
        Self::CodeNotFound,
        Self::ScanNotFound,
        Self::ScanTaken,
        Self::ScanExpired,
        Self::AgentNotReady,
    ];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token-missing",
            Self::TokenWrong => "token-wrong",
            Self::SessionRequired => "session-required",
            Self::SessionExpired => "session-expired",
            Self::TokenClaimsInvalid => "token-claims-invalid",
            Self::TokenExpired => "token-expired",
            Self::TokenMisdirected => "token-misdirected",
            Self::TokenReplayed => "token-replayed",
            Self::ReplayMemoryUnavailable => "replay-memory-unavailable",
            Self::RateLimited => "rate-limited",
            Self::ProofWrong => "proof-wrong",
            Self::ProofReplayed => "proof-replayed",
            Self::PairingRequired => "pairing-required",
            Self::PairingNotAllowed => "pairing-not-allowed",
            Self::PairingNotFound => "pairing-not-found",
            Self::PairingCodeWrong => "pairing-code-wrong",
            Self::ProgramNotAllowed => "program-not-allowed",
            Self::DoorNotGranted => "door-not-granted",
            Self::ChallengeRefused => "challenge-refused",
            Self::HandoffNotAllowed => "handoff-not-allowed",
            Self::IdentityUnavailable => "identity-unavailable",
            Self::OriginNotAllowed => "origin-not-allowed",
            Self::HostNotAllowed => "host-not-allowed",
            Self::TlsRequired => "tls-required",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::MediaTypeUnsupported => "media-type-unsupported",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTooSlow => "body-too-slow",
            Self::BodyInvalid => "body-invalid",
            Self::ParameterInvalid => "parameter-invalid",
            Self::AccessKeyMissing => "access-key-missing",
            Self::AccessKeyInvalid => "access-key-invalid",
            Self::ReadNotFound => "read-not-found",
            Self::ReadNotOver => "read-not-over",
            Self::ReadExpired => "read-expired",
            Self::ResultTaken => "result-taken",
            Self::IdempotencyKeyInFlight => "idempotency-key-in-flight",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::IdempotencyKeySpent => "idempotency-key-spent",
            Self::PortraitAbsent => "portrait-absent",
            Self::PortraitUndisplayable => "portrait-undisplayable",
            Self::BiometricAbsent => "biometric-absent",
            Self::ScopeMissing => "scope-missing",
            Self::EvidenceUnavailable => "evidence-unavailable",
            Self::ProfileNotGranted => "profile-not-granted",
            Self::ProfileUnavailable => "profile-unavailable",
            Self::OutboxUnavailable => "outbox-unavailable",
            Self::RegisterUnavailable => "register-unavailable",
            Self::RegisterNotFound => "register-not-found",
            Self::RosterInvalid => "roster-invalid",
            Self::ExportImpossible => "export-impossible",
            Self::ImageUnusable => "image-unusable",
            Self::CodeNotFound => "code-not-found",
            Self::ScanNotFound => "scan-not-found",
            Self::ScanTaken => "scan-taken",
            Self::ScanExpired => "scan-expired",
            Self::AgentNotReady => "agent-not-ready",
        }
    }

    pub(crate) fn problem(self) -> &'static Problem {
        Problem::find(self.code()).unwrap_or(&AGENT_FAULT)
    }
}

const AGENT_FAULT: Problem = Problem {
    code: "agent-fault",
    status: 500,
    actor: Actor::Admin,
    retry: Retry::Worthwhile,
    title: Text { vi: "Lỗi bên trong chương trình", en: "Fault in the agent" },
    cause: Text {
        vi: "cccd-agent gặp lỗi của chính nó; các đầu đọc khác vẫn hoạt động.",
        en: "cccd-agent hit a fault of its own; the other readers go on.",
    },
    remedy: Text {
        vi: "Thử đọc lại. Nếu vẫn lỗi, gửi nhật ký của cccd-agent cho người phát triển.",
        en: "Read again. If it stays, send the log of cccd-agent to its developers.",
    },
};

/// The table.
pub static PROBLEMS: &[Problem] = &[
    // The person at the desk.
    Problem {
        code: "no-card",
        status: 409,
        actor: Actor::User,
        retry: Retry::Worthwhile,
        title: Text { vi: "Không có thẻ trên đầu đọc", en: "No card on the reader" },
        cause: Text {
            vi: "Trong thời gian chờ không có thẻ nào được đặt lên đầu đọc.",
            en: "No card was laid on a reader within the time given.",
        },
        remedy: Text {
            vi: "Đặt thẻ lên giữa đầu đọc, giữ yên, rồi đọc lại. Nếu thẻ vẫn nằm đó mà đầu đọc không thấy, rút đầu đọc ra rồi cắm lại.",
            en: "Lay the card on the middle of the reader, leave it there, and read again. If it lies there and is not seen, plug the reader in anew.",
        },
    },
    Problem {
        code: "card-removed",
        status: 409,
        actor: Actor::User,
        retry: Retry::Worthwhile,
        title: Text { vi: "Thẻ bị lấy ra khi đang đọc", en: "Card removed during the reading" },
        cause: Text {
            vi: "Thẻ rời khỏi đầu đọc trước khi đọc xong.",
            en: "The card left the reader before the reading was done.",
        },
        remedy: Text {
            vi: "Đặt lại thẻ và giữ yên cho đến khi đọc xong.",
            en: "Lay the card back and leave it until the reading is done.",
        },
    },
    Problem {
        code: "card-changed",
        status: 409,
        actor: Actor::User,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Thẻ khác được đặt vào khi đang đọc", en: "Another card during the reading"
        },
        cause: Text {
            vi: "Thẻ đang đọc bị nhấc ra và một thẻ khác được đặt vào thay.",
            en: "The card was taken away in the middle and another one laid down instead.",
        },
        remedy: Text {
            vi: "Chỉ để thẻ cần đọc trên đầu đọc rồi đọc lại từ đầu.",
            en: "Lay the card that is meant on the reader, and read again from the start.",
        },
    },
    Problem {
        code: "card-mute",
        status: 409,
        actor: Actor::User,
        retry: Retry::Worthwhile,
        title: Text { vi: "Thẻ không trả lời", en: "Card does not answer" },
        cause: Text {
            vi: "Có vật nằm trên đầu đọc nhưng chip không trả lời: thẻ đặt lệch, có vỏ kim loại, hoặc chip hỏng.",
            en: "Something lies on the reader and its chip does not answer: it lies badly, is shielded, or is broken.",
        },
        remedy: Text {
            vi: "Lấy thẻ ra khỏi ví hoặc vỏ, đặt lại ngay giữa đầu đọc. Thử một thẻ khác để loại trừ chip hỏng; nếu thẻ nào cũng không trả lời, rút đầu đọc ra, cắm lại, và khởi động lại dịch vụ thẻ (pcscd).",
            en: "Take the card out of its cover and lay it on the middle of the reader. Try another card to rule out a broken chip; if every card is mute, plug the reader in anew and restart the smart-card service (pcscd).",
        },
    },
    Problem {
        code: "card-unsupported",
        status: 422,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text { vi: "Không phải thẻ căn cước gắn chip", en: "Not a chip identity card" },
        cause: Text {
            vi: "Thẻ trên đầu đọc không có ứng dụng giấy tờ theo ICAO 9303.",
            en: "The card on the reader has no ICAO 9303 application.",
        },
        remedy: Text {
            vi: "Đặt thẻ căn cước gắn chip hoặc hộ chiếu điện tử; bỏ các thẻ khác ra khỏi đầu đọc.",
            en: "Lay a chip identity card or an electronic passport; take other cards off the reader.",
        },
    },
    Problem {
        code: "access-key-wrong",
        status: 422,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text {
            vi: "Mã mở chip không đúng với thẻ này", en: "Access key does not open this chip"
        },
        cause: Text {
            vi: "Số CAN, MRZ, mã QR hoặc số định danh đã gửi không thuộc về thẻ trên đầu đọc, hoặc gõ sai.",
            en: "The CAN, MRZ, QR text or number sent belongs to another card, or was mistyped.",
        },
        remedy: Text {
            vi: "Kiểm tra đúng thẻ, quét lại mã QR hoặc nhập lại các dòng MRZ trên chính thẻ đó.",
            en: "Check that it is the right card; scan its QR code again or type the MRZ lines of that very card.",
        },
    },
    Problem {
        code: "access-key-spent",
        status: 409,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text { vi: "Không còn lần thử cho mã mở chip", en: "Access key has no try to spare" },
        cause: Text {
            vi: "Chip cho biết thử thêm một lần nữa có thể khóa hẳn loại mã này, nên chương trình không thử.",
            en: "The chip says that one more try could block this kind of key for good, so it was not tried.",
        },
        remedy: Text {
            vi: "Dùng các dòng MRZ in trên thẻ thay cho số CAN.",
            en: "Use the MRZ lines printed on the card instead of the CAN.",
        },
    },
    // The caller.
    Problem {
        code: "reader-not-found",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Không có đầu đọc này", en: "No such reader" },
        cause: Text {
            vi: "Yêu cầu nêu một đầu đọc hiện không cắm vào máy.",
            en: "The request names a reader that is not plugged in now.",
        },
        remedy: Text {
            vi: "Lấy danh sách từ GET /v1/readers, hoặc bỏ trường `reader` để dùng đầu đọc đang có thẻ.",
            en: "Take a reader_id from GET /v1/readers, or leave `reader` out to use whichever has a card.",
        },
    },
    Problem {
        code: "reader-selection-required",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Cần chọn đầu đọc", en: "A reader must be named" },
        cause: Text {
            vi: "Có thẻ trên nhiều đầu đọc mà yêu cầu không nêu đầu đọc nào.",
            en: "Cards lie on several readers, and the request names none.",
        },
        remedy: Text {
            vi: "Gửi `reader` với một mã lấy từ GET /v1/readers, hoặc chỉ để một thẻ.",
            en: "Send `reader` with a reader_id from GET /v1/readers, or leave only one card.",
        },
    },
    Problem {
        code: "reader-busy",
        status: 423,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Đầu đọc đang bận", en: "Readers are busy" },
        cause: Text {
            vi: "Các lượt đọc trước chưa xong: hàng chờ đã đầy, hoặc đã hết thời gian chờ đến lượt.",
            en: "Earlier readings are not over: the queue is full, or the turn of this one did not come in time.",
        },
        remedy: Text {
            vi: "Chờ vài giây rồi gửi lại; hủy những lượt đọc không còn cần bằng DELETE.",
            en: "Wait a few seconds and send it again; call off readings no longer needed with DELETE.",
        },
    },
    Problem {
        code: "cancelled",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Lượt đọc đã bị hủy", en: "Reading called off" },
        cause: Text {
            vi: "Chính chương trình đã yêu cầu lượt đọc này cũng đã hủy nó.",
            en: "The program that asked for this reading called it off.",
        },
        remedy: Text {
            vi: "Yêu cầu một lượt đọc mới khi cần.",
            en: "Ask for a new reading when one is wanted.",
        },
    },
    // The person who looks after the desk.
    Problem {
        code: "no-reader",
        status: 409,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Không có đầu đọc nào", en: "No reader at all" },
        cause: Text {
            vi: "Không có đầu đọc thẻ nào được cắm vào máy, hoặc trình điều khiển chưa được cài.",
            en: "No card reader is plugged in, or its driver is not installed.",
        },
        remedy: Text {
            vi: "Cắm đầu đọc; nếu đã cắm, cài trình điều khiển rồi chạy `cccd-agent doctor`.",
            en: "Plug a reader in; if one is, install its driver and run `cccd-agent doctor`.",
        },
    },
    Problem {
        code: "reader-lost",
        status: 409,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Mất kết nối với đầu đọc", en: "Reader lost" },
        cause: Text {
            vi: "Đầu đọc bị rút ra, hoặc không còn trả lời trình điều khiển của nó.",
            en: "The reader was unplugged, or no longer answers its driver.",
        },
        remedy: Text {
            vi: "Cắm lại đầu đọc, tốt nhất vào cổng USB khác, rồi đọc lại. Đầu đọc nối cổng nối tiếp chỉ được tìm lại khi dịch vụ thẻ (pcscd) khởi động lại.",
            en: "Plug the reader in again, best into another USB port, and read again. A reader on a serial port is found again only when the smart-card service (pcscd) is restarted.",
        },
    },
    Problem {
        code: "reader-hung",
        status: 504,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Đầu đọc bị treo", en: "Reader does not answer" },
        cause: Text {
            vi: "Một lệnh gửi tới trình điều khiển của đầu đọc không trở về.",
            en: "A call into the reader's driver did not return.",
        },
        remedy: Text {
            vi: "Rút đầu đọc ra, chờ vài giây, cắm lại. Nếu lặp lại, cập nhật trình điều khiển.",
            en: "Unplug the reader, wait a few seconds, plug it in again. If it comes back, update the driver.",
        },
    },
    Problem {
        code: "reader-held-elsewhere",
        status: 423,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Chương trình khác đang giữ thẻ", en: "Another program holds the card" },
        cause: Text {
            vi: "Một chương trình khác trên máy đang dùng riêng đầu đọc này.",
            en: "Another program on this machine uses the reader exclusively.",
        },
        remedy: Text {
            vi: "Đóng chương trình đó (phần mềm ký số, phần mềm của đầu đọc), rồi đọc lại.",
            en: "Close that program (a signing plug-in, the reader's own software) and read again.",
        },
    },
    Problem {
        code: "card-reset",
        status: 409,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Chương trình khác đã khởi động lại thẻ", en: "Another program reset the card"
        },
        cause: Text {
            vi: "Một chương trình khác đặt lại thẻ giữa chừng, nên phiên đọc an toàn bị mất.",
            en: "Another program reset the card in the middle, so the secure session is gone.",
        },
        remedy: Text {
            vi: "Đóng các chương trình khác dùng đầu đọc, rồi đọc lại.",
            en: "Close other programs that use the reader, and read again.",
        },
    },
    Problem {
        code: "service-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text { vi: "Dịch vụ thẻ thông minh không chạy", en: "Smart-card service is away" },
        cause: Text {
            vi: "Dịch vụ PC/SC của hệ điều hành đã dừng hoặc từ chối chương trình này.",
            en: "The PC/SC service of the operating system has stopped or refuses this program.",
        },
        remedy: Text {
            vi: "Khởi động dịch vụ (Windows: SCardSvr; Linux: pcscd) và chạy `cccd-agent doctor`.",
            en: "Start the service (Windows: SCardSvr; Linux: pcscd) and run `cccd-agent doctor`.",
        },
    },
    Problem {
        code: "read-timeout",
        status: 504,
        actor: Actor::User,
        retry: Retry::Worthwhile,
        title: Text { vi: "Đọc quá lâu", en: "Reading took too long" },
        cause: Text {
            vi: "Lượt đọc vượt quá thời gian cho phép: thẻ đặt lệch hoặc đầu đọc chậm.",
            en: "The reading took longer than it may: the card lies badly, or the reader is slow.",
        },
        remedy: Text {
            vi: "Đặt lại thẻ ngay giữa đầu đọc và giữ yên. Nếu lặp lại, tăng `read_within_s` trong cấu hình.",
            en: "Lay the card on the middle of the reader and leave it. If it comes back, raise `read_within_s` in the settings.",
        },
    },
    Problem {
        code: "reader-certificate-wrong",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Chứng thư của đầu đọc không đúng với cấu hình",
            en: "Reader's certificate is not the one of the settings",
        },
        cause: Text {
            vi: "Đầu đọc qua mạng trả lời bằng `https` với một chứng thư khác chứng thư đã ghi trong cấu hình, hoặc cấu hình chưa ghi chứng thư nào. Chưa có gì được gửi tới nó.",
            en: "The network reader answers by `https` with another certificate than the settings have, or they have none. Nothing was sent to it.",
        },
        remedy: Text {
            vi: "So SHA-256 mà chương trình thấy (trong `detail`, trong nhật ký, hoặc chạy `cccd-agent readers`) với chứng thư của chính đầu đọc; đúng thì ghi vào `certificate_sha256`. Nếu đầu đọc không bị thay, hãy tìm xem ai trả lời ở địa chỉ đó.",
            en: "Compare the SHA-256 that was seen (in `detail`, in the log, or by `cccd-agent readers`) with the reader's own certificate, and put it into `certificate_sha256` if it is that. If nobody changed the reader, find out who answers at its address.",
        },
    },
    Problem {
        code: "reader-scheme-wrong",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Đầu đọc dùng https mà cấu hình ghi http, hoặc ngược lại",
            en: "Reader speaks https where the settings say http, or the reverse",
        },
        cause: Text {
            vi: "Đầu đọc qua mạng trả lời theo cách khác với cách ghi trong `address`.",
            en: "The network reader answers otherwise than its `address` says.",
        },
        remedy: Text {
            vi: "Sửa `http://` hay `https://` trong `address` của đầu đọc; với `https`, ghi thêm `certificate_sha256`.",
            en: "Put right `http://` or `https://` in the reader's `address`; with `https`, `certificate_sha256` as well.",
        },
    },
    // The chip, or whoever made it.
    Problem {
        code: "access-refused",
        status: 502,
        actor: Actor::Operator,
        retry: Retry::Useless,
        title: Text { vi: "Chip từ chối mở", en: "Chip refuses access control" },
        cause: Text {
            vi: "Chip không hỗ trợ cách mở nào mà chương trình biết, hoặc từ chối ngay từ đầu.",
            en: "The chip offers no access control this program speaks, or refuses it.",
        },
        remedy: Text {
            vi: "Thử một thẻ khác. Nếu chỉ thẻ này lỗi, nhập thông tin bằng tay và báo người phát triển.",
            en: "Try another card. If it is this card only, type the data by hand and tell the developers.",
        },
    },
    Problem {
        code: "chip-protocol",
        status: 502,
        actor: Actor::Operator,
        retry: Retry::Useless,
        title: Text { vi: "Chip vi phạm giao thức", en: "Chip broke the protocol" },
        cause: Text {
            vi: "Câu trả lời của chip không khớp với kênh bảo mật: chip lỗi, nhiễu, hoặc có người can thiệp.",
            en: "The chip's answers do not fit the secure channel: a faulty chip, or someone in between.",
        },
        remedy: Text {
            vi: "Không tin dữ liệu của lần đọc này. Xem kỹ thẻ và đầu đọc; thử trên đầu đọc khác.",
            en: "Trust nothing of this reading. Look at card and reader closely; try another reader.",
        },
    },
    Problem {
        code: "document-unreadable",
        status: 422,
        actor: Actor::Operator,
        retry: Retry::Useless,
        title: Text {
            vi: "Không đọc được dữ liệu nhân thân", en: "Chip holds no readable identity"
        },
        cause: Text {
            vi: "Chip mở được, nhưng các tệp trong đó không phải dữ liệu giấy tờ tùy thân hợp lệ.",
            en: "The chip opened, and what it holds is no identity document.",
        },
        remedy: Text {
            vi: "Nhập thông tin bằng tay theo mặt thẻ và đề nghị công dân kiểm tra thẻ tại cơ quan cấp.",
            en: "Type the data from the face of the card, and let its holder have it checked by the issuer.",
        },
    },
    // Us.
    AGENT_FAULT,
    Problem {
        code: "agent-stopping",
        status: 503,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Chương trình đang dừng", en: "The agent is stopping" },
        cause: Text {
            vi: "cccd-agent đang tắt hoặc khởi động lại.",
            en: "cccd-agent is shutting down or starting anew.",
        },
        remedy: Text {
            vi: "Chờ vài giây rồi thử lại; nếu vẫn lỗi, khởi động dịch vụ cccd-agent.",
            en: "Wait a few seconds and try again; if it stays, start the cccd-agent service.",
        },
    },
    // The API: who may call.
    Problem {
        code: "token-missing",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Thiếu mã truy cập", en: "Token missing" },
        cause: Text {
            vi: "Yêu cầu không có tiêu đề `Authorization: Bearer …`.",
            en: "The request has no `Authorization: Bearer …` header.",
        },
        remedy: Text {
            vi: "Gửi mã truy cập mà quản trị viên đã tạo bằng `cccd-agent token`.",
            en: "Send the token that the administrator made with `cccd-agent token`.",
        },
    },
    Problem {
        code: "token-wrong",
        status: 401,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text { vi: "Mã truy cập không đúng", en: "Token is not known" },
        cause: Text {
            vi: "Không có [[caller]] nào trong cấu hình mang mã truy cập này, cũng không có khóa nào của [[site]] nào đã ký nó.",
            en: "No [[caller]] of the settings has this token, and no key of a [[site]] signed it.",
        },
        remedy: Text {
            vi: "Tạo mã mới bằng `cccd-agent token`, ghi dòng được in ra vào cấu hình, khởi động lại chương trình; với mã ký, xem `iss` và khóa trong [[site]].",
            en: "Make a new one with `cccd-agent token`, put the line it prints into the settings, start the agent anew; of a signed token, compare `iss` and the keys of its [[site]].",
        },
    },
    Problem {
        code: "session-required",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text {
            vi: "Mã đã ký phải được đổi lấy phiên", en: "A signed token opens a session first"
        },
        cause: Text {
            vi: "Yêu cầu mang mã do máy chủ của trang ký; mã đó chỉ dùng một lần, để mở phiên.",
            en: "The request shows a token that a site's backend signed; such a token is good once, to open a session.",
        },
        remedy: Text {
            vi: "Gửi mã đã ký tới POST /v1/sessions, rồi dùng mã của phiên cho các yêu cầu sau.",
            en: "Send the signed token to POST /v1/sessions, and show the session's token from then on.",
        },
    },
    Problem {
        code: "session-expired",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Phiên đã hết", en: "The session is over" },
        cause: Text {
            vi: "Phiên đã hết hạn, đã được đóng, hoặc cccd-agent đã khởi động lại.",
            en: "The session has run out, was ended, or the agent was restarted.",
        },
        remedy: Text {
            vi: "Xin máy chủ của trang một mã ký mới và mở phiên mới.",
            en: "Ask the site's backend for another signed token and open a new session.",
        },
    },
    Problem {
        code: "token-claims-invalid",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Nội dung mã ký không đúng", en: "The signed token says the wrong thing" },
        cause: Text {
            vi: "Mã được ký đúng khóa nhưng thiếu hoặc sai một mục; `detail` nêu mục đó.",
            en: "The token is signed with the right key, and a claim is missing or wrong; `detail` names it.",
        },
        remedy: Text {
            vi: "Sửa phần ký ở máy chủ của trang theo docs/callers.md.",
            en: "Correct what the backend signs, as docs/callers.md says.",
        },
    },
    Problem {
        code: "token-expired",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Mã ký hết hạn hoặc chưa đến lúc", en: "The signed token is not in time"
        },
        cause: Text {
            vi: "Mã chỉ có hiệu lực tối đa 120 giây, hoặc đồng hồ của hai máy lệch quá 30 giây.",
            en: "A token is good for 120 seconds at most; or the clocks of backend and desk are more than 30 seconds apart.",
        },
        remedy: Text {
            vi: "Xin mã mới ngay trước khi dùng; chỉnh đồng hồ của máy này và của máy chủ.",
            en: "Ask for a token right before it is used; set the clocks of this machine and of the backend.",
        },
    },
    Problem {
        code: "token-misdirected",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Mã ký dành cho máy khác", en: "The signed token is for another desk" },
        cause: Text {
            vi: "`aud` không phải mã của cccd-agent này, hoặc `workstation_id` không phải của quầy này.",
            en: "`aud` is not the id of this agent, or `workstation_id` not the one of this desk.",
        },
        remedy: Text {
            vi: "Lấy agent_id và workstation_id từ /.well-known/cccd-agent của chính máy này.",
            en: "Take agent_id and workstation_id from /.well-known/cccd-agent of this very machine.",
        },
    },
    Problem {
        code: "token-replayed",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Mã ký đã được dùng", en: "The signed token was used before" },
        cause: Text {
            vi: "Mỗi mã (`jti`) chỉ mở được một phiên, kể cả sau khi cccd-agent khởi động lại.",
            en: "Each token (`jti`) opens one session, across restarts of the agent too.",
        },
        remedy: Text {
            vi: "Ký mã mới với `jti` mới cho mỗi phiên.",
            en: "Sign another token with a `jti` of its own for each session.",
        },
    },
    Problem {
        code: "replay-memory-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Không ghi nhớ được mã đã dùng", en: "Used tokens cannot be remembered"
        },
        cause: Text {
            vi: "Bộ nhớ các mã đã dùng đang đầy hoặc không ghi được, nên không mã mới nào được nhận.",
            en: "The memory of used tokens is full or cannot be written, so that none is taken.",
        },
        remedy: Text {
            vi: "Kiểm tra ổ đĩa và quyền ghi của cccd-agent; thử lại sau ít phút.",
            en: "Look at the disk and what cccd-agent may write; try again after a few minutes.",
        },
    },
    Problem {
        code: "rate-limited",
        status: 429,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Quá nhiều yêu cầu", en: "Too many requests" },
        cause: Text {
            vi: "Chương trình gọi quá nhiều lần trong thời gian ngắn, hoặc gửi quá nhiều mã sai.",
            en: "The caller asks for more than the settings let it, or too many wrong tokens came from there.",
        },
        remedy: Text {
            vi: "Chờ theo Retry-After; dùng /v1/events thay vì hỏi liên tục.",
            en: "Wait as Retry-After says; listen to /v1/events instead of asking again and again.",
        },
    },
    Problem {
        code: "identity-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Không chứng minh được danh tính của chương trình",
            en: "The agent cannot prove who it is",
        },
        cause: Text {
            vi: "cccd-agent không đọc được khóa của máy này.",
            en: "cccd-agent has no key of this machine that it could read.",
        },
        remedy: Text {
            vi: "Xem nhật ký khi khởi động; kiểm tra evidence.key_file và quyền của tệp.",
            en: "Look at the log from its start; check evidence.key_file and who may read it.",
        },
    },
    Problem {
        code: "origin-not-allowed",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text { vi: "Trang web không được phép gọi", en: "Page may not call" },
        cause: Text {
            vi: "Nguồn (Origin) của trang không có trong danh sách `origins` của chương trình gọi.",
            en: "The page's origin is not in the `origins` of the caller whose token it sent.",
        },
        remedy: Text {
            vi: "Thêm đúng nguồn của trang (giao thức, tên máy, cổng) vào `origins`, nếu trang đó đáng tin.",
            en: "Add the page's exact origin (scheme, host, port) to `origins`, if the page is to be trusted.",
        },
    },
    Problem {
        code: "host-not-allowed",
        status: 421,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Địa chỉ gọi không được chấp nhận", en: "Host is not this agent" },
        cause: Text {
            vi: "Tiêu đề Host không phải 127.0.0.1, [::1] hoặc localhost kèm đúng cổng.",
            en: "The Host header is not 127.0.0.1, [::1] or localhost with the right port.",
        },
        remedy: Text {
            vi: "Gọi trực tiếp http://127.0.0.1 kèm cổng của chương trình, không qua tên miền hay proxy.",
            en: "Call http://127.0.0.1 with the agent's port itself, through no other name and no proxy.",
        },
    },
    Problem {
        code: "tls-required",
        status: 400,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Cổng này chỉ nói HTTPS", en: "This port speaks HTTPS only" },
        cause: Text {
            vi: "Yêu cầu gửi bằng HTTP thường đến cổng api.tls của chương trình.",
            en: "The request came in plain HTTP to the port of api.tls.",
        },
        remedy: Text {
            vi: "Gọi https:// ở cổng này, hoặc http:// ở cổng api.listen.",
            en: "Call https:// on this port, or http:// on the port of api.listen.",
        },
    },
    // The API: what was sent.
    Problem {
        code: "not-found",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Không có địa chỉ này", en: "No such address" },
        cause: Text {
            vi: "Chương trình không có gì ở đường dẫn này.",
            en: "The agent has nothing at this path.",
        },
        remedy: Text {
            vi: "Xem các đường dẫn trong /v1/openapi.json.",
            en: "Look the paths up in /v1/openapi.json.",
        },
    },
    Problem {
        code: "method-not-allowed",
        status: 405,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Phương thức không được hỗ trợ", en: "Method not allowed" },
        cause: Text {
            vi: "Đường dẫn này không nhận phương thức HTTP đã dùng.",
            en: "This path does not take the HTTP method used.",
        },
        remedy: Text {
            vi: "Dùng một phương thức nêu trong tiêu đề Allow.",
            en: "Use a method that the Allow header names.",
        },
    },
    Problem {
        code: "media-type-unsupported",
        status: 415,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Kiểu nội dung không được hỗ trợ", en: "Media type unsupported" },
        cause: Text {
            vi: "Tiêu đề Content-Type không phải kiểu mà đường dẫn này nhận, hoặc không có.",
            en: "Content-Type is none that this path takes, or is missing.",
        },
        remedy: Text {
            vi: "Gửi `Content-Type: application/json`; ảnh và văn bản quét được gửi tới /v1/scans bằng đúng kiểu của nó.",
            en: "Send `Content-Type: application/json`; a picture or a scanned text goes to /v1/scans under its own type.",
        },
    },
    Problem {
        code: "body-too-large",
        status: 413,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Thân yêu cầu quá lớn", en: "Body too large" },
        cause: Text {
            vi: "Thân yêu cầu dài hơn 64 KiB, hoặc ảnh lớn hơn 16 MiB.",
            en: "The body is longer than 64 KiB, or a picture larger than 16 MiB.",
        },
        remedy: Text {
            vi: "Chỉ gửi các trường nêu trong /v1/openapi.json; thu nhỏ ảnh còn khoảng 2000 điểm ảnh mỗi cạnh.",
            en: "Send only the fields that /v1/openapi.json names; shrink a picture to some 2000 pixels a side.",
        },
    },
    Problem {
        code: "body-too-slow",
        status: 408,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Thân yêu cầu đến quá chậm", en: "Body came too slowly" },
        cause: Text {
            vi: "Thân yêu cầu không đến đủ trong thời gian cho phép.",
            en: "The body was not there whole within the time it may take.",
        },
        remedy: Text {
            vi: "Gửi toàn bộ yêu cầu một lần.", en: "Send the whole request at once."
        },
    },
    Problem {
        code: "body-invalid",
        status: 400,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Thân yêu cầu không hợp lệ", en: "Body is not what was asked for" },
        cause: Text {
            vi: "Thân yêu cầu không phải JSON, hoặc có trường lạ, thiếu hay sai kiểu.",
            en: "The body is no JSON, or a field of it is unknown, missing or of the wrong kind.",
        },
        remedy: Text {
            vi: "Sửa chỗ nêu trong `detail` theo /v1/openapi.json.",
            en: "Mend the place that `detail` names, after /v1/openapi.json.",
        },
    },
    Problem {
        code: "parameter-invalid",
        status: 400,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Tham số không hợp lệ", en: "Parameter is not valid" },
        cause: Text {
            vi: "Một tham số trên đường dẫn hoặc tiêu đề có giá trị không thể dùng.",
            en: "A parameter in the path or a header has a value that cannot be used.",
        },
        remedy: Text {
            vi: "Sửa tham số nêu trong `detail` theo /v1/openapi.json.",
            en: "Mend the parameter that `detail` names, after /v1/openapi.json.",
        },
    },
    Problem {
        code: "access-key-missing",
        status: 422,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Thiếu mã mở chip", en: "Access key missing" },
        cause: Text {
            vi: "Yêu cầu không có `access`: không có gì để mở chip.",
            en: "The request has no `access`: there is nothing to open the chip with.",
        },
        remedy: Text {
            vi: "Gửi đúng một trong: `can`, `mrz`, `qr`, `id` hoặc `scan`.",
            en: "Send exactly one of `can`, `mrz`, `qr`, `id` or `scan`.",
        },
    },
    Problem {
        code: "access-key-invalid",
        status: 422,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text { vi: "Mã mở chip không hợp lệ", en: "Access key is none" },
        cause: Text {
            vi: "Giá trị đã gửi không thể là số CAN, MRZ, mã QR hoặc số định danh: sai độ dài hoặc sai số kiểm tra.",
            en: "What was sent cannot be a CAN, MRZ, QR text or number: a length or a check digit is wrong.",
        },
        remedy: Text {
            vi: "Quét lại mã QR, hoặc nhập lại các dòng MRZ đúng như in trên thẻ.",
            en: "Scan the QR code again, or type the MRZ lines as the card prints them.",
        },
    },
    // The API: readings.
    Problem {
        code: "read-not-found",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Không có lượt đọc này", en: "No such reading" },
        cause: Text {
            vi: "Không có lượt đọc nào mang mã này thuộc về chương trình gọi.",
            en: "No reading of this id belongs to the caller.",
        },
        remedy: Text {
            vi: "Dùng mã trong tiêu đề Location của POST /v1/reads, cùng mã truy cập đã dùng khi đó.",
            en: "Use the id from the Location header of POST /v1/reads, with the token used there.",
        },
    },
    Problem {
        code: "read-not-over",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Lượt đọc chưa xong", en: "Reading is not over" },
        cause: Text {
            vi: "Kết quả được hỏi trước khi lượt đọc kết thúc.",
            en: "The result was asked for before the reading was over.",
        },
        remedy: Text {
            vi: "Chờ sự kiện read.completed, hoặc gửi `Prefer: wait=20` khi yêu cầu đọc.",
            en: "Wait for the event read.completed, or send `Prefer: wait=20` when asking for the reading.",
        },
    },
    Problem {
        code: "read-expired",
        status: 410,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Kết quả đã được xóa", en: "Result has been wiped" },
        cause: Text {
            vi: "Kết quả chỉ được giữ một đến hai phút rồi xóa, hoặc đã được chính chương trình gọi xóa.",
            en: "A result is kept for a minute or two and then wiped, or its owner wiped it.",
        },
        remedy: Text {
            vi: "Yêu cầu một lượt đọc mới và lấy kết quả ngay khi xong.",
            en: "Ask for a new reading, and fetch its result once it is there.",
        },
    },
    Problem {
        code: "idempotency-key-in-flight",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Yêu cầu trước với khóa này chưa xong",
            en: "First request with this key is not answered yet",
        },
        cause: Text {
            vi: "Một yêu cầu với cùng `Idempotency-Key` đang được nhận.",
            en: "A request with the same `Idempotency-Key` is being accepted at this moment.",
        },
        remedy: Text {
            vi: "Gửi lại cùng yêu cầu với cùng khóa sau `Retry-After` giây.",
            en: "Send the same request with the same key again after `Retry-After` seconds.",
        },
    },
    Problem {
        code: "idempotency-key-reused",
        status: 422,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text {
            vi: "Khóa này thuộc về một yêu cầu khác", en: "Key belongs to another request"
        },
        cause: Text {
            vi: "`Idempotency-Key` này đã được gửi kèm một nội dung khác trong 24 giờ qua.",
            en: "This `Idempotency-Key` came with another body within the last 24 hours.",
        },
        remedy: Text {
            vi: "Dùng khóa mới cho mỗi yêu cầu mới; chỉ gửi lại khóa cũ với đúng nội dung cũ.",
            en: "Draw a new key for each new request; send an old one only with the body it came with.",
        },
    },
    Problem {
        code: "idempotency-key-spent",
        status: 410,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Lần đọc của khóa này không còn", en: "Reading of this key is gone" },
        cause: Text {
            vi: "Yêu cầu với `Idempotency-Key` này đã được nhận, nhưng chương trình đã khởi động lại hoặc lần đọc đã quá lâu.",
            en: "The request with this `Idempotency-Key` was accepted, but the agent was started anew since, or the reading is too long over.",
        },
        remedy: Text {
            vi: "Hỏi người ở quầy xem thẻ đã đọc chưa; nếu cần đọc lại, gửi yêu cầu với khóa mới.",
            en: "Find out whether the card was read; where it has to be read again, send the request with a new key.",
        },
    },
    Problem {
        code: "portrait-absent",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Lượt đọc không có ảnh chân dung", en: "Reading has no portrait" },
        cause: Text {
            vi: "Ảnh không được yêu cầu, hoặc chip không cho đọc ảnh.",
            en: "The portrait was not asked for, or the chip has none to read.",
        },
        remedy: Text {
            vi: "Yêu cầu lượt đọc với `portrait: true`; xem `files` trong kết quả.",
            en: "Ask for the reading with `portrait: true`; see `files` of the result.",
        },
    },
    Problem {
        code: "portrait-undisplayable",
        status: 422,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Không hiển thị được ảnh chân dung", en: "Portrait cannot be shown" },
        cause: Text {
            vi: "Ảnh trên chip là JPEG 2000 mà chương trình không giải mã được.",
            en: "The portrait on the chip is JPEG 2000 that this program cannot decode.",
        },
        remedy: Text {
            vi: "Lấy nguyên bản bằng `Accept: image/jp2`.",
            en: "Fetch the original with `Accept: image/jp2`.",
        },
    },
    Problem {
        code: "biometric-absent",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Lượt đọc không có hình này", en: "Reading has no such picture" },
        cause: Text {
            vi: "Vân tay hoặc mống mắt không được yêu cầu, chip không có, hoặc chip không mở cho máy này.",
            en: "Fingerprints or irises were not asked for, the chip has none, or it does not open them to this machine.",
        },
        remedy: Text {
            vi: "Xem `biometrics` trong kết quả: trạng thái, lý do, và địa chỉ của từng hình.",
            en: "See `biometrics` of the result: its state, why, and the address of each picture.",
        },
    },
    Problem {
        code: "scope-missing",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text { vi: "Phần mềm gọi không có quyền này", en: "The caller may not do this" },
        cause: Text {
            vi: "Việc này cần một quyền riêng mà cấu hình không cấp cho phần mềm gọi.",
            en: "This needs a scope of its own that the settings do not give to this caller.",
        },
        remedy: Text {
            vi: "Nếu phần mềm cần quyền này, thêm vào `scopes` của nó trong tệp cấu hình rồi khởi động lại.",
            en: "If the caller needs it, add it to its `scopes` in the settings file and restart.",
        },
    },
    Problem {
        code: "profile-not-granted",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text {
            vi: "Phần mềm gọi không được đọc theo hồ sơ này",
            en: "The caller may not read under this profile",
        },
        cause: Text {
            vi: "Cấu hình không cấp hồ sơ này cho phần mềm gọi.",
            en: "The settings do not grant this profile to the caller.",
        },
        remedy: Text {
            vi: "Nếu phần mềm cần hồ sơ này, thêm tên hồ sơ vào `profiles` của nó trong tệp cấu hình rồi khởi động lại.",
            en: "If the caller needs it, add its name to the caller's `profiles` in the settings file and restart.",
        },
    },
    Problem {
        code: "profile-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text {
            vi: "Hồ sơ chưa dùng được trên máy này",
            en: "The profile cannot be used on this machine",
        },
        cause: Text {
            vi: "Không có hồ sơ tên này, tệp của nó sai, nơi nhận của nó không có trong cấu hình, hoặc thiếu khóa tạo bí danh hay danh sách từ chối mà nó cần; nhật ký nói lý do.",
            en: "There is no profile of this name, its file is wrong, its target is not in the settings, or the key or the deny list of its pseudonyms is missing; the log says which.",
        },
        remedy: Text {
            vi: "Chạy `cccd-agent profile list` và `cccd-agent profile check`; với hồ sơ tạo bí danh, đặt khóa vào tệp ghi ở `token.key_file` và tạo tệp ghi ở `token.deny_file`.",
            en: "Run `cccd-agent profile list` and `cccd-agent profile check`; for a profile that makes pseudonyms, put the key where its `token.key_file` says and make the file of its `token.deny_file`.",
        },
    },
    Problem {
        code: "outbox-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Không lưu được kết quả để gửi đi", en: "The result cannot be kept for delivery"
        },
        cause: Text {
            vi: "Hồ sơ yêu cầu gửi kết quả đến hệ thống khác, nhưng hộp gửi trên máy này không ghi được: đĩa đầy hoặc hỏng; nhật ký nói lý do.",
            en: "The profile has results delivered to another system, and the outbox of this machine cannot be written: the disk is full or faulty; the log says which.",
        },
        remedy: Text {
            vi: "Giải phóng đĩa, xem `cccd-agent outbox list`, rồi lấy kết quả lại.",
            en: "Free the disk, look at `cccd-agent outbox list`, then fetch the result again.",
        },
    },
    Problem {
        code: "register-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text {
            vi: "Sổ ghi chưa dùng được trên máy này",
            en: "The register cannot be used on this machine",
        },
        cause: Text {
            vi: "Không có sổ tên này cho hồ sơ được nêu, danh sách của nó không đọc được, hồ sơ không cho lưu ngày nào, hoặc đĩa không ghi được; nhật ký nói lý do.",
            en: "There is no register of this name for the profile, its roster cannot be read, the profile lets nothing be kept for a day, or the disk cannot be written; the log says which.",
        },
        remedy: Text {
            vi: "Xem `[[register]]` trong tệp cấu hình, kiểm tra danh sách bằng `cccd-agent roster check`, rồi lấy kết quả lại.",
            en: "Look at `[[register]]` in the settings, check the roster with `cccd-agent roster check`, then fetch the result again.",
        },
    },
    Problem {
        code: "register-not-found",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Không có sổ này", en: "No such register" },
        cause: Text {
            vi: "Tệp cấu hình của máy này không có sổ nào mang mã được nêu.",
            en: "The settings of this machine have no register of the id that was named.",
        },
        remedy: Text {
            vi: "Lấy danh sách sổ bằng GET /v1/registers và dùng `register_id` trong đó.",
            en: "Ask for the registers with GET /v1/registers and use the `register_id` that stands there.",
        },
    },
    Problem {
        code: "roster-invalid",
        status: 422,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Danh sách không dùng được", en: "The roster cannot be used" },
        cause: Text {
            vi: "Tệp không phải CSV (UTF-8) hay XLSX đọc được, thiếu cột, quá lớn khi giải nén, hoặc có dòng sai; `detail` nêu dòng. Danh sách cũ vẫn còn nguyên.",
            en: "The file is no CSV in UTF-8 or XLSX that can be read, lacks a column, is too large once unpacked, or has a row that is wrong; `detail` names it. The roster before stays.",
        },
        remedy: Text {
            vi: "Sửa dòng được nêu rồi gửi lại cả tệp.",
            en: "Mend the row that is named, and send the whole file again.",
        },
    },
    Problem {
        code: "export-impossible",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text {
            vi: "Sổ này không xuất được như vậy", en: "This register has no such list"
        },
        cause: Text {
            vi: "Sổ không có danh sách dự kiến, danh sách không có ca được nêu, sổ không phải của hồ sơ coach-manifest, hoặc tệp bảng tính không chứa được; `detail` nêu điều nào.",
            en: "The register has no roster, its roster has no such session, it is none of the profile coach-manifest, or a spreadsheet cannot hold it; `detail` says which.",
        },
        remedy: Text {
            vi: "Chọn danh sách, ca hoặc định dạng khác; muốn có danh sách dự kiến thì khai `roster` của sổ trong tệp cấu hình.",
            en: "Ask for another list, session or format; for a roster, name its file as `roster` of the register in the settings.",
        },
    },
    Problem {
        code: "evidence-unavailable",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text {
            vi: "Máy này chưa có khóa ký chứng cứ",
            en: "This machine has no key to sign evidence",
        },
        cause: Text {
            vi: "Tệp khóa ghi ở `evidence.key_file` không tạo hoặc không đọc được; nhật ký nói lý do.",
            en: "The key file named by `evidence.key_file` can be neither made nor read; the log says why.",
        },
        remedy: Text {
            vi: "Cho cccd-agent quyền ghi thư mục chứa tệp khóa rồi khởi động lại.",
            en: "Let cccd-agent write the folder of the key file, and restart.",
        },
    },
    // The API: paired pages and local programs.
    Problem {
        code: "proof-wrong",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Bằng chứng khóa không đúng", en: "Proof of the key does not hold" },
        cause: Text {
            vi: "Tiêu đề `DPoP` không được ký bởi khóa của trang, hoặc không phải cho yêu cầu này, vào lúc này.",
            en: "The header `DPoP` is not signed by the page's key, or is not about this request at this moment.",
        },
        remedy: Text {
            vi: "Ký một bằng chứng mới cho mỗi yêu cầu: `htm`, `htu` (không có phần sau dấu ?), `iat`, `jti`; xem docs/pairing.md.",
            en: "Sign a proof for each request: `htm`, `htu` (nothing from the ? on), `iat`, `jti`; see docs/pairing.md.",
        },
    },
    Problem {
        code: "proof-replayed",
        status: 401,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text {
            vi: "Bằng chứng khóa đã được dùng", en: "Proof of the key was used before"
        },
        cause: Text {
            vi: "Mỗi bằng chứng `DPoP` chỉ dùng được cho một yêu cầu; `jti` này đã được dùng.",
            en: "Each `DPoP` proof is good for one request; this `jti` was used before.",
        },
        remedy: Text {
            vi: "Tạo `jti` ngẫu nhiên mới và ký lại cho mỗi yêu cầu, kể cả khi gửi lại.",
            en: "Draw a new random `jti` and sign anew for each request, also when sending one again.",
        },
    },
    Problem {
        code: "pairing-required",
        status: 401,
        actor: Actor::Operator,
        retry: Retry::Useless,
        title: Text {
            vi: "Trang chưa được ghép với máy này", en: "Page is not paired with this machine"
        },
        cause: Text {
            vi: "Khóa của trang chưa được ghép, đã hết hạn, hoặc đã bị thu hồi.",
            en: "The page's key was never let in, its time is over, or its grant was taken back.",
        },
        remedy: Text {
            vi: "Ghép lại: bấm ghép trên trang, chạy `cccd-agent pair` trên máy này rồi gõ mã vào trang.",
            en: "Pair it: start pairing in the page, run `cccd-agent pair` on this machine, type the code into the page.",
        },
    },
    Problem {
        code: "pairing-not-allowed",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text { vi: "Trang này không được xin ghép", en: "This page may not ask to be paired" },
        cause: Text {
            vi: "Cấu hình không bật ghép trang, không cho trang này, hoặc yêu cầu không đến từ trang web.",
            en: "The settings do not let pages pair, or not this one, or the request comes from no page.",
        },
        remedy: Text {
            vi: "Bật `[pairing]` và thêm địa chỉ trang vào `origins`. Chương trình trên máy dùng mã truy cập hoặc socket.",
            en: "Turn on `[pairing]` and add the page to its `origins`. A program uses a token or the socket.",
        },
    },
    Problem {
        code: "pairing-not-found",
        status: 404,
        actor: Actor::Operator,
        retry: Retry::Useless,
        title: Text { vi: "Không có lượt ghép này", en: "No such pairing" },
        cause: Text {
            vi: "Không có lượt ghép nào của trang mang mã này: đã quá một phút, đã sai ba lần, hoặc trang đã bắt đầu lượt khác.",
            en: "None of this page waits by this id: a minute is over, three codes were wrong, or the page began another.",
        },
        remedy: Text {
            vi: "Bắt đầu ghép lại từ trang và gõ mã mới trong vòng một phút.",
            en: "Start again in the page, and type the new code within a minute.",
        },
    },
    Problem {
        code: "pairing-code-wrong",
        status: 403,
        actor: Actor::Operator,
        retry: Retry::Worthwhile,
        title: Text { vi: "Mã ghép không đúng", en: "Pairing code is wrong" },
        cause: Text {
            vi: "Mã gõ vào trang không phải mã mà máy này đang hiện; `tries_left` cho biết còn mấy lần.",
            en: "What was typed is not the code this machine shows; `tries_left` says how many tries are left.",
        },
        remedy: Text {
            vi: "Xem lại mã bằng `cccd-agent pair` và gõ lại.",
            en: "Look at the code again with `cccd-agent pair`, and type it once more.",
        },
    },
    Problem {
        code: "program-not-allowed",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text {
            vi: "Chương trình này không được phép gọi", en: "This program may not call"
        },
        cause: Text {
            vi: "Không mục `[[local_program]]` nào có người dùng hoặc nhóm của tiến trình gọi.",
            en: "No `[[local_program]]` of the settings names the user or a group of the calling process.",
        },
        remedy: Text {
            vi: "Thêm người dùng hoặc nhóm đó vào một mục `[[local_program]]` rồi khởi động lại.",
            en: "Add that user or group to a `[[local_program]]` of the settings, and restart.",
        },
    },
    Problem {
        code: "door-not-granted",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text {
            vi: "Cửa này dành cho chương trình khác", en: "This door is another program's"
        },
        cause: Text {
            vi: "Mã truy cập đúng, nhưng mục `[[door]]` của cửa này ghi tên chương trình gọi khác.",
            en: "The token is right, and the `[[door]]` of the settings names another caller.",
        },
        remedy: Text {
            vi: "Dùng mã truy cập của chương trình ghi ở `[[door]]`, hoặc sửa mục đó rồi khởi động lại.",
            en: "Show the token of the caller that the `[[door]]` names, or change that and restart.",
        },
    },
    Problem {
        code: "challenge-refused",
        status: 403,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text {
            vi: "Không chuyển số thách đố này cho chip ký",
            en: "This challenge is not passed on to the chip",
        },
        cause: Text {
            vi: "Cửa không cho chip ký nguyên tám byte do phần mềm chọn (`/get_aa`): ai làm được việc đó có thể dùng thẻ đang đặt ở đây để chứng minh với nơi khác rằng thẻ ở chỗ họ.",
            en: "A door has no chip sign eight bytes as a program chose them (`/get_aa`): whoever could, might have a card that lies here prove to somebody else that it lies with them.",
        },
        remedy: Text {
            vi: "Kết quả đọc đã gồm việc chip ký số do chương trình này chọn. Cần ràng buộc với giao dịch của mình thì gửi `nonce` trong `POST /v1/reads` và kiểm tra chứng cứ.",
            en: "A reading already has the chip sign a challenge of this agent. To bind it to a transaction of your own, send `nonce` with `POST /v1/reads` and check the evidence.",
        },
    },
    Problem {
        code: "handoff-not-allowed",
        status: 403,
        actor: Actor::Admin,
        retry: Retry::Useless,
        title: Text { vi: "Không đọc hộ cho trang này", en: "Nothing is handed to this page" },
        cause: Text {
            vi: "Không mục `[[handoff]]` nào của cấu hình có địa chỉ trang này.",
            en: "No `[[handoff]]` of the settings has this page's origin.",
        },
        remedy: Text {
            vi: "Thêm `[[handoff]]` với đúng địa chỉ trang (giao thức, máy, cổng) rồi khởi động lại.",
            en: "Add a `[[handoff]]` with the page's exact origin (scheme, host, port), and restart.",
        },
    },
    // The API: scans.
    Problem {
        code: "image-unusable",
        status: 422,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Ảnh không dùng được", en: "Picture cannot be used" },
        cause: Text {
            vi: "Tệp đã gửi không phải ảnh JPEG, PNG, WebP hoặc BMP, bị hỏng, hoặc có quá nhiều điểm ảnh.",
            en: "What was sent is no JPEG, PNG, WebP or BMP, is damaged, or has too many pixels.",
        },
        remedy: Text {
            vi: "Gửi nguyên tệp ảnh, tốt nhất là JPEG, không quá 40 triệu điểm ảnh.",
            en: "Send the picture file as it is, best a JPEG, of no more than 40 million pixels.",
        },
    },
    Problem {
        code: "code-not-found",
        status: 422,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text { vi: "Không thấy mã QR trong ảnh", en: "No code found in the picture" },
        cause: Text {
            vi: "Ảnh đọc được nhưng không có mã QR nào, hoặc mã mờ, lóa, bị che hay quá nhỏ.",
            en: "The picture was read and shows no QR code, or one that is blurred, glaring, covered or too small.",
        },
        remedy: Text {
            vi: "Chụp lại: đưa mã lại gần cho chiếm khoảng một phần ba ảnh, đủ sáng, không lóa, giữ yên máy.",
            en: "Take another: the code a third of the picture, in good light, without glare, the camera held still.",
        },
    },
    Problem {
        code: "scan-not-found",
        status: 404,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Không có lượt quét này", en: "No such scan" },
        cause: Text {
            vi: "Không có lượt quét nào mang mã này, hoặc nó do chương trình khác gửi lên.",
            en: "No scan has this id, or another caller posted it.",
        },
        remedy: Text {
            vi: "Dùng `scan_id` của sự kiện scan.received hoặc của câu trả lời POST /v1/scans.",
            en: "Use the `scan_id` of an event scan.received, or of the answer of POST /v1/scans.",
        },
    },
    Problem {
        code: "result-taken",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Kết quả đã được lấy", en: "Result has been taken" },
        cause: Text {
            vi: "Cấu hình cho bên gọi này lấy mỗi phần của kết quả một lần (results = \"once\"), và phần này đã được trao.",
            en: "The settings let this caller fetch each part of a result once (results = \"once\"), and it was handed out.",
        },
        remedy: Text {
            vi: "Giữ lại phần đã lấy khi còn cần; muốn có lại thì đọc thẻ lần nữa. Nếu không phải chương trình của bạn đã lấy, hãy đổi mã truy cập.",
            en: "Keep what was fetched for as long as it is needed; to have it again, read the card again. If it was not your program that took it, change its token.",
        },
    },
    Problem {
        code: "scan-taken",
        status: 409,
        actor: Actor::Integrator,
        retry: Retry::Useless,
        title: Text { vi: "Lượt quét đã được lấy", en: "Scan has been taken" },
        cause: Text {
            vi: "Nội dung quét chỉ được trao một lần, và đã được trao; hoặc chương trình khác đã nhận lượt quét này.",
            en: "What was scanned is handed out once, and has been; or another caller has this scan.",
        },
        remedy: Text {
            vi: "Quét lại. Mỗi bàn chỉ nên cấp quyền `scan` cho một chương trình. Chương trình đã lấy vẫn đọc thẻ được bằng `access.scan`.",
            en: "Scan again. Give the scope `scan` to one caller of a desk. Whoever took it can still read the card by `access.scan`.",
        },
    },
    Problem {
        code: "scan-expired",
        status: 410,
        actor: Actor::User,
        retry: Retry::Useless,
        title: Text { vi: "Lượt quét đã bị xóa", en: "Scan has been wiped" },
        cause: Text {
            vi: "Nội dung quét chỉ được giữ một đến hai phút rồi xóa, hoặc đã được xóa theo yêu cầu.",
            en: "A scan is kept for a minute or two and then wiped, or was wiped on request.",
        },
        remedy: Text { vi: "Quét lại mã QR trên thẻ.", en: "Scan the card's QR code again." },
    },
    Problem {
        code: "agent-not-ready",
        status: 503,
        actor: Actor::Admin,
        retry: Retry::Worthwhile,
        title: Text { vi: "Chương trình chưa sẵn sàng", en: "The agent is not ready" },
        cause: Text {
            vi: "Chương trình đang khởi động, hoặc chưa thấy dịch vụ thẻ thông minh.",
            en: "The agent is starting, or cannot see the smart-card service.",
        },
        remedy: Text {
            vi: "Chờ vài giây; nếu vẫn lỗi, chạy `cccd-agent doctor`.",
            en: "Wait a few seconds; if it stays, run `cccd-agent doctor`.",
        },
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn table_and_failures_hold_each_other() {
        let raised: BTreeSet<_> = ReadFailure::ALL
            .iter()
            .map(|failure| failure.code())
            .chain(Fault::ALL.iter().map(|fault| fault.code()))
            .collect();
        let told: BTreeSet<_> = PROBLEMS.iter().map(|problem| problem.code).collect();
        assert_eq!(raised, told);
        assert_eq!(told.len(), PROBLEMS.len(), "a code stands twice");
        assert_eq!(ReadFailure::ALL.len() + Fault::ALL.len(), PROBLEMS.len());
    }

    #[test]
    fn every_text_is_there_in_both_languages() {
        for problem in PROBLEMS {
            for (text, name) in
                [(problem.title, "title"), (problem.cause, "cause"), (problem.remedy, "remedy")]
            {
                assert!(
                    text.en.len() >= 8 && text.en.is_ascii() | text.en.contains('…'),
                    "{} {name}",
                    problem.code
                );
                assert!(!text.vi.is_ascii(), "{} {name}: no diacritics", problem.code);
                assert_ne!(text.vi, text.en);
            }
            assert!(problem.cause.en.ends_with('.') && problem.remedy.vi.ends_with('.'), "{}", problem.code);
            assert!((400..600).contains(&problem.status), "{}", problem.code);
            assert!(problem.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
