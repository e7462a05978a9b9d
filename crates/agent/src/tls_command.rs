//! `cccd-agent tls`: which certificates there are, and how this machine comes to trust them.

use std::process::ExitCode;

use anyhow::Result;
use cccd_profiles::TlsSettings;

use crate::daemon::now;
use crate::tls;

/// Says how it stands.
pub(crate) fn run(settings: &TlsSettings) -> Result<ExitCode> {
    crate::command_line::say(&told(settings)?)
}

fn told(settings: &TlsSettings) -> Result<String> {
    let Some(listen) = settings.listen else {
        return Ok("không dùng · not in use: api.tls.listen\n".to_owned());
    };
    let Some(certificates) = tls::read(settings)? else {
        return Ok(format!(
            "chưa có chứng thư · no certificates yet: {} (tạo khi chạy dịch vụ · made when the agent starts)\n",
            settings.folder.display()
        ));
    };
    let left = (certificates.ends - now()).whole_days();
    let soon = if certificates.end_soon(now()) {
        "sắp được thay, phải cài lại · renewed soon, to be installed anew; "
    } else {
        ""
    };
    let authority = tls::authority_file(settings);
    let authority = authority.display();
    Ok(format!(
        "Địa chỉ · address     https://{listen}\n\
         CA · authority        {authority}\n\
         SHA-256               {}\n\
         Hết hạn · ends        {} ({soon}còn {left} ngày · {left} days left)\n\n\
         Cài một lần, bằng quyền quản trị · Install once, as an administrator:\n  \
         Windows         certutil -addstore -f Root \"{authority}\"\n  \
         Debian, Ubuntu  cp {authority} /usr/local/share/ca-certificates/cccd-agent.crt && update-ca-certificates\n  \
         Chrome (Linux)  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n cccd-agent -i {authority}\n  \
         Firefox         about:policies: Certificates.Install = [\"{authority}\"]\n",
        certificates.authority_sha256,
        certificates.ends.date(),
    ))
}
