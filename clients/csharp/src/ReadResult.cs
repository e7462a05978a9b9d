using System.Text;
using System.Xml.Linq;

namespace Cccd
{
    /// <summary>What a reading found. The most asked for is a property; <see cref="RawJson"/> is all of it.</summary>
    public sealed class ReadResult
    {
        private readonly XElement result;

        internal ReadResult(byte[] json)
        {
            result = Json.Parse(json);
            RawJson = Encoding.UTF8.GetString(json);
        }

        /// <summary>The whole result, as docs/openapi.json describes it, for any JSON library.</summary>
        public string RawJson { get; private set; }

        /// <summary>The reading.</summary>
        public string ReadId { get { return result.At("read_id"); } }

        /// <summary>The name, with diacritics.</summary>
        public string Name { get { return Field("name"); } }

        /// <summary>The personal number: twelve digits.</summary>
        public string Number { get { return Field("number"); } }

        /// <summary>The date of birth as the card prints it.</summary>
        public string Birth { get { return Field("birth"); } }

        /// <summary>
        /// A field of the record as text, such as <c>residence</c>, <c>issued</c> or <c>father</c>: as stored, a date as
        /// printed; null where the chip does not have it.
        /// </summary>
        public string Field(string name)
        {
            return result.At("record", name, "value") ?? result.At("record", name, "printed");
        }

        /// <summary><c>genuine</c>, <c>not_genuine</c> or <c>unconfirmed</c>.</summary>
        public string Verdict { get { return result.At("verdict", "state"); } }

        /// <summary>Whether there is a face to fetch.</summary>
        public bool HasPortrait { get { return result.At("portrait", "href") != null; } }

        /// <summary>Whether the code that opened the chip says the same as the chip; null where none did.</summary>
        public bool? ScanAgrees
        {
            get
            {
                var agrees = result.At("scan_agrees");
                return agrees == null ? (bool?)null : agrees == "true";
            }
        }

        /// <summary>How the card compares with what the request expected of this field; null where nothing.</summary>
        public string Expected(string field) { return result.At("expected", field); }
    }

    /// <summary>Where a reading stands. It says nothing about a person.</summary>
    public sealed class ReadStatus
    {
        private readonly XElement read;

        internal ReadStatus(byte[] json)
        {
            read = Json.Parse(json);
        }

        /// <summary>Its name.</summary>
        public string ReadId { get { return read.At("read_id"); } }

        /// <summary><c>waiting</c>, <c>running</c>, <c>paused</c>, <c>completed</c>, <c>expired</c> or <c>failed</c>.</summary>
        public string State { get { return read.At("state"); } }

        /// <summary>What it does, or did last.</summary>
        public string Phase { get { return read.At("phase"); } }

        /// <summary>How far it is, of a hundred.</summary>
        public int Percent { get { return read.NumberAt("percent", 0); } }

        /// <summary>How many readings that wait are before it.</summary>
        public int Ahead { get { return read.NumberAt("ahead", 0); } }

        /// <summary>Why it ended without a result, or what it is paused for; null otherwise.</summary>
        public CccdProblem Problem
        {
            get { return read.At("problem", "code") == null ? null : new CccdProblem(read.Element("problem")); }
        }

        internal bool Stands(ReadStatus before)
        {
            return before != null && State == before.State && Phase == before.Phase && Percent == before.Percent
                && Ahead == before.Ahead;
        }
    }

    /// <summary>One event. It says nothing about a person.</summary>
    public sealed class AgentEvent
    {
        private readonly XElement told;

        internal AgentEvent(string json)
        {
            told = Json.Parse(Encoding.UTF8.GetBytes(json));
            RawJson = json;
        }

        /// <summary>The whole event, as docs/asyncapi.json describes it.</summary>
        public string RawJson { get; private set; }

        /// <summary>Its number; null for <c>events.missed</c>.</summary>
        public string Id { get { return told.At("id"); } }

        /// <summary>Its name, such as <c>card.inserted</c>.</summary>
        public string Type { get { return told.At("type"); } }

        /// <summary>A member of its data, such as <c>read_id</c>, or null.</summary>
        public string Data(string member) { return told.At("data", member); }
    }

    /// <summary>A scanned code. Nobody signed it: it says who someone claims to be.</summary>
    public sealed class ScannedCode
    {
        private readonly XElement scan;

        internal ScannedCode(XElement scan)
        {
            this.scan = scan;
        }

        /// <summary>Its name: it opens a chip with it until it is wiped.</summary>
        public string ScanId { get { return scan.At("scan_id"); } }

        /// <summary><c>citizen</c>, <c>insurance</c> or <c>unknown</c>.</summary>
        public string Kind { get { return scan.At("kind"); } }

        /// <summary>The whole text.</summary>
        public string Text { get { return scan.At("text"); } }

        /// <summary>The personal number an identity card's code claims, or null.</summary>
        public string Number { get { return scan.At("citizen", "number"); } }

        /// <summary>The name an identity card's code claims, or null.</summary>
        public string Name { get { return scan.At("citizen", "name"); } }
    }
}
