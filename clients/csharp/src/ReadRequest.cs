using System.Xml.Linq;

namespace Cccd
{
    /// <summary>A reading, asked for: what opens the chip, and what is wanted.</summary>
    public sealed class ReadRequest
    {
        private readonly XElement body;

        private ReadRequest(string kind, string value)
        {
            body = Json.Object("root", Json.Object("access", Json.Text(kind, value)));
        }

        /// <summary>Opened by the card access number: the six digits at the lower right of the card's face.</summary>
        public static ReadRequest Can(string sixDigits) { return new ReadRequest("can", sixDigits); }

        /// <summary>Opened by the personal number.</summary>
        public static ReadRequest Id(string twelveDigits) { return new ReadRequest("id", twelveDigits); }

        /// <summary>Opened by the text of the card's QR code.</summary>
        public static ReadRequest Qr(string text) { return new ReadRequest("qr", text); }

        /// <summary>Opened by the lines of the MRZ on the card's back.</summary>
        public static ReadRequest Mrz(string lines) { return new ReadRequest("mrz", lines); }

        /// <summary>Opened by a scan the agent has, by its id.</summary>
        public static ReadRequest Scan(string scanId) { return new ReadRequest("scan", scanId); }

        /// <summary>On this reader; without one, on whichever has a card.</summary>
        public ReadRequest OnReader(string readerId) { return With(Json.Text("reader", readerId)); }

        /// <summary>Without the face, which makes the reading much shorter.</summary>
        public ReadRequest WithoutPortrait() { return With(Json.Boolean("portrait", false)); }

        /// <summary>How long to wait for a card.</summary>
        public ReadRequest WaitForCard(int seconds) { return With(Json.Number("wait_for_card_s", seconds)); }

        /// <summary>Bytes in hexadecimal digits that the chip shall sign over.</summary>
        public ReadRequest Nonce(string hex) { return With(Json.Text("nonce", hex)); }

        /// <summary>What the caller expects of a field: number, name or birth, or one of their hashes.</summary>
        public ReadRequest Expect(string field, string value)
        {
            if (body.Element("expect") == null)
            {
                body.Add(Json.Object("expect"));
            }
            body.Element("expect").Add(Json.Text(field, value));
            return this;
        }

        private ReadRequest With(XElement member)
        {
            body.Add(member);
            return this;
        }

        internal byte[] ToJson() { return Json.Write(body); }
    }
}
