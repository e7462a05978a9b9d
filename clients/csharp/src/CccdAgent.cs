using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;

namespace Cccd
{
    /// <summary>
    /// The client of cccd-agent's local API, as one caller sees it. Threads may share it, and no call comes back on the
    /// caller's thread by itself, so that a form may wait for one.
    /// </summary>
    /// <example>
    /// <code>var result = await new CccdAgent(token).ReadAsync(ReadRequest.Can("123456"));</code>
    /// </example>
    public sealed class CccdAgent
    {
        /// <summary>Where the agent listens unless its settings say otherwise. An address, as names may lead elsewhere.</summary>
        public const string DefaultUrl = "http://127.0.0.1:9303";

        /// <summary>The longest one request may wait for the outcome (RFC 7240), in seconds.</summary>
        private const int LongestWait = 60;

        /// <summary>The longest answer, and the longest line of the event stream, that is taken in.</summary>
        private const int LongestAnswer = 64 << 20;

        private const int LongestLine = 64 << 10;

        /// <summary>How long any answer may take beyond what was asked to be waited for.</summary>
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

        /// <summary>The server pings every 15 seconds: a stream that is silent for longer than this is dead.</summary>
        private static readonly TimeSpan Silence = TimeSpan.FromSeconds(45);

        private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

        private static readonly HttpClient Http = new HttpClient(
            new HttpClientHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };

        private readonly string url;
        private readonly Func<string, string, IDictionary<string, string>> authorize;

        /// <summary>With a token and an address; CCCD_AGENT_TOKEN and CCCD_AGENT_URL name them where they are null.</summary>
        public CccdAgent(string token = null, string url = null) : this(url, Bearer(token))
        {
        }

        /// <summary>With another proof than a token: <c>authorize(method, url)</c> makes its headers for each request.</summary>
        public CccdAgent(string url, Func<string, string, IDictionary<string, string>> authorize)
        {
            this.url = (url ?? Environment.GetEnvironmentVariable("CCCD_AGENT_URL") ?? DefaultUrl).TrimEnd('/');
            this.authorize = authorize;
        }

        private static Func<string, string, IDictionary<string, string>> Bearer(string token)
        {
            token = token ?? Environment.GetEnvironmentVariable("CCCD_AGENT_TOKEN");
            var headers = new Dictionary<string, string>();
            if (token != null)
            {
                headers.Add("Authorization", "Bearer " + token);
            }
            return (method, target) => headers;
        }

        /// <summary>Versions and features, as JSON.</summary>
        public async Task<string> AboutAsync(CancellationToken cancel = default(CancellationToken))
        {
            return Encoding.UTF8.GetString((await SendAsync("GET", "/v1", cancel: cancel).ConfigureAwait(false)).Body);
        }

        /// <summary>The ids of the readers that stand there.</summary>
        public async Task<IList<string>> ReadersAsync(CancellationToken cancel = default(CancellationToken))
        {
            var answer = await SendAsync("GET", "/v1/readers", cancel: cancel).ConfigureAwait(false);
            return Json.Parse(answer.Body).Element("readers").Elements().Select(reader => reader.At("reader_id")).ToList();
        }

        /// <summary>
        /// Reads one card: asks, waits, and gives the result. A reading that fails is thrown as a <see cref="CccdProblem"/>;
        /// <paramref name="cancel"/> calls it off.
        /// </summary>
        public async Task<ReadResult> ReadAsync(
            ReadRequest request,
            IProgress<ReadStatus> progress = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var answer = await AskAsync(request, progress == null ? LongestWait : 0, NewKey(), cancel).ConfigureAwait(false);
            if (answer.Status == 200)
            {
                return new ReadResult(answer.Body);
            }
            return await WaitAsync(new ReadStatus(answer.Body).ReadId, progress, cancel).ConfigureAwait(false);
        }

        /// <summary>The same for a program without await.</summary>
        public ReadResult Read(ReadRequest request)
        {
            return Task.Run(() => ReadAsync(request)).GetAwaiter().GetResult();
        }

        /// <summary>
        /// Asks for a reading and does not wait for it. The same key and request again are the same reading.
        /// </summary>
        public async Task<ReadStatus> StartAsync(
            ReadRequest request, string idempotencyKey = null, CancellationToken cancel = default(CancellationToken))
        {
            return new ReadStatus((await AskAsync(request, 0, idempotencyKey ?? NewKey(), cancel).ConfigureAwait(false)).Body);
        }

        /// <summary>Waits for the end of a reading and gives its result.</summary>
        public async Task<ReadResult> WaitAsync(
            string readId,
            IProgress<ReadStatus> progress = null,
            CancellationToken cancel = default(CancellationToken))
        {
            ReadStatus before = null;
            while (true)
            {
                if (cancel.IsCancellationRequested)
                {
                    // Whoever hangs up has called it off; the card must not be read for nobody.
                    await CancelAsync(readId).ConfigureAwait(false);
                    cancel.ThrowIfCancellationRequested();
                }
                var read = await StatusAsync(readId).ConfigureAwait(false);
                if (progress != null && !read.Stands(before))
                {
                    progress.Report(read);
                }
                before = read;
                if (read.State == "completed" || read.State == "expired")
                {
                    return await ResultAsync(readId).ConfigureAwait(false);
                }
                if (read.State == "failed")
                {
                    throw read.Problem;
                }
                // A cancelled delay ends as well, and the next round sees why.
                await Task.WhenAny(Task.Delay(LookEvery, cancel)).ConfigureAwait(false);
            }
        }

        /// <summary>Where a reading stands.</summary>
        public async Task<ReadStatus> StatusAsync(string readId)
        {
            return new ReadStatus((await SendAsync("GET", Path("reads", readId)).ConfigureAwait(false)).Body);
        }

        /// <summary>What a reading found.</summary>
        public async Task<ReadResult> ResultAsync(string readId)
        {
            return new ReadResult((await SendAsync("GET", Path("reads", readId, "result")).ConfigureAwait(false)).Body);
        }

        /// <summary>Who it is, before the face has arrived and anything is judged.</summary>
        public async Task<ReadResult> PartialAsync(string readId)
        {
            return new ReadResult((await SendAsync("GET", Path("reads", readId, "partial")).ConfigureAwait(false)).Body);
        }

        /// <summary>The face of a reading, as JPEG or PNG.</summary>
        public async Task<byte[]> PortraitAsync(string readId)
        {
            var headers = new Dictionary<string, string> { { "Accept", "*/*" } };
            return (await SendAsync("GET", Path("reads", readId, "portrait"), headers: headers).ConfigureAwait(false)).Body;
        }

        /// <summary>Calls a reading off, or wipes its result.</summary>
        public async Task<ReadStatus> CancelAsync(string readId)
        {
            return new ReadStatus((await SendAsync("DELETE", Path("reads", readId)).ConfigureAwait(false)).Body);
        }

        /// <summary>Posts the text a scanner typed. Gives its codes.</summary>
        public Task<IList<ScannedCode>> PostScanAsync(string text)
        {
            return PostScanAsync(Json.Write(Json.Object("root", Json.Text("text", text))), "application/json");
        }

        /// <summary>Posts a picture of codes, such as <c>image/jpeg</c>. Gives its codes.</summary>
        public async Task<IList<ScannedCode>> PostScanAsync(byte[] picture, string mediaType)
        {
            var answer = await SendAsync("POST", "/v1/scans", mediaType, picture).ConfigureAwait(false);
            return Json.Parse(answer.Body).Element("codes").Elements().Select(code => new ScannedCode(code)).ToList();
        }

        /// <summary>What a scanner of the desk scanned; it is handed out once.</summary>
        public async Task<ScannedCode> FetchScanAsync(string scanId)
        {
            return new ScannedCode(Json.Parse((await SendAsync("GET", Path("scans", scanId)).ConfigureAwait(false)).Body));
        }

        /// <summary>Wipes a scan.</summary>
        public Task DismissScanAsync(string scanId)
        {
            return SendAsync("DELETE", Path("scans", scanId));
        }

        /// <summary>Says who is expected in a register: a roster, <c>text/csv</c> or XLSX, in place of the one before.</summary>
        public Task LoadRosterAsync(string registerId, byte[] file, string mediaType)
        {
            return SendAsync("POST", Path("registers", registerId, "roster"), mediaType, file);
        }

        /// <summary>Takes a list of persons away, as a file: <c>entries</c>, <c>attendance</c> or <c>manifest</c>, as <c>csv</c>
        /// or <c>xlsx</c>, of a session. Who took it is in the agent's audit.</summary>
        public async Task<byte[]> ExportRegisterAsync(string registerId, string list, string format, string session)
        {
            var wish = Json.Object("root", Json.Text("list", list), Json.Text("format", format), Json.Text("session", session));
            var headers = new Dictionary<string, string> { { "Accept", "*/*" } };
            var body = Json.Write(wish);
            var path = Path("registers", registerId, "exports");
            return (await SendAsync("POST", path, "application/json", body, headers).ConfigureAwait(false)).Body;
        }

        /// <summary>Keeps a reader for this caller until the lease is released.</summary>
        public Task<Lease> LeaseAsync(string readerId, int seconds = 30, Action<CccdProblem> onLost = null)
        {
            return Lease.TakeAsync(this, Path("readers", readerId, "lease"), seconds, onLost);
        }

        /// <summary>
        /// Hands what happens to <paramref name="listener"/>, as it happens, until that answers false: readers, cards, scans
        /// and this caller's readings; nothing about a person. A broken stream is taken up again where it broke off, each
        /// event once; <c>events.missed</c> says that some may be gone.
        /// </summary>
        /// <param name="listener">Answers whether it wants to hear more.</param>
        /// <param name="lastEventId">The last event heard; null begins now, "0" with the oldest that is still known.</param>
        /// <param name="cancel">Ends the listening.</param>
        public async Task EventsAsync(
            Func<AgentEvent, bool> listener,
            string lastEventId = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var stream = new EventStream(listener, lastEventId);
            while (!cancel.IsCancellationRequested)
            {
                try
                {
                    if (await ListenAsync(stream, cancel).ConfigureAwait(false))
                    {
                        return;
                    }
                }
                catch (CccdProblem problem)
                {
                    if (!problem.Retryable)
                    {
                        throw;
                    }
                }
                catch (Exception broken)
                {
                    if (!IsBroken(broken))
                    {
                        throw;
                    }
                }
                await Task.WhenAny(Task.Delay(stream.ComeBack, cancel)).ConfigureAwait(false);
            }
            cancel.ThrowIfCancellationRequested();
        }

        private async Task<bool> ListenAsync(EventStream events, CancellationToken cancel)
        {
            var headers = new Dictionary<string, string> { { "Accept", "text/event-stream" } };
            if (events.Last != null)
            {
                headers.Add("Last-Event-ID", events.Last);
            }
            using (var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                silence.CancelAfter(Silence);
                using (var response = await OpenAsync("GET", "/v1/events", null, null, headers, silence.Token)
                    .ConfigureAwait(false))
                // Not every framework's stream heeds a token while it reads.
                using (silence.Token.Register(response.Dispose))
                {
                    await RefuseAsync(response).ConfigureAwait(false);
                    events.Begin();
                    var body = await response.Content.ReadAsStreamAsync().ConfigureAwait(false);
                    var buffer = new byte[16 * 1024];
                    var rest = new List<byte>();
                    while (true)
                    {
                        var count = await body.ReadAsync(buffer, 0, buffer.Length, silence.Token).ConfigureAwait(false);
                        if (count == 0)
                        {
                            return false;
                        }
                        silence.CancelAfter(Silence);
                        for (var at = 0; at < count; at++)
                        {
                            if (buffer[at] != (byte)'\n')
                            {
                                rest.Add(buffer[at]);
                            }
                            else
                            {
                                var line = Encoding.UTF8.GetString(rest.ToArray()).TrimEnd('\r');
                                rest.Clear();
                                if (!events.Take(line))
                                {
                                    return true;
                                }
                            }
                        }
                        if (rest.Count > LongestLine)
                        {
                            return false;
                        }
                    }
                }
            }
        }

        /// <summary>One listener, over however many connections (HTML, 9.2.6).</summary>
        private sealed class EventStream
        {
            private readonly Func<AgentEvent, bool> listener;
            private string data;
            private string id;

            internal EventStream(Func<AgentEvent, bool> listener, string last)
            {
                this.listener = listener;
                Last = last;
                ComeBack = TimeSpan.FromSeconds(1);
            }

            internal string Last { get; private set; }

            internal TimeSpan ComeBack { get; private set; }

            /// <summary>What a connection left unfinished is no event.</summary>
            internal void Begin()
            {
                data = null;
                id = null;
            }

            /// <summary>Takes a line; false once the listener has heard enough.</summary>
            internal bool Take(string line)
            {
                if (line.Length == 0)
                {
                    var told = data;
                    Last = told != null && id != null ? id : Last;
                    Begin();
                    return told == null || listener(new AgentEvent(told));
                }
                var colon = line.IndexOf(':');
                var name = colon < 0 ? line : line.Substring(0, colon);
                var text = colon < 0 ? "" : line.Substring(colon + 1);
                text = text.StartsWith(" ", StringComparison.Ordinal) ? text.Substring(1) : text;
                int retry;
                if (name == "data")
                {
                    data = data == null ? text : data + "\n" + text;
                }
                else if (name == "id")
                {
                    id = text;
                }
                else if (name == "retry" && text.Length < 7 && int.TryParse(text, out retry) && retry >= 0)
                {
                    ComeBack = TimeSpan.FromMilliseconds(retry);
                }
                return true;
            }
        }

        private async Task<Answer> AskAsync(ReadRequest request, int wait, string key, CancellationToken cancel)
        {
            var headers = new Dictionary<string, string> { { "Idempotency-Key", key } };
            if (wait > 0)
            {
                headers.Add("Prefer", "wait=" + wait);
            }
            var body = request.ToJson();
            try
            {
                return await SendAsync("POST", "/v1/reads", "application/json", body, headers, wait, cancel)
                    .ConfigureAwait(false);
            }
            catch (CccdUnreachable)
            {
                if (cancel.IsCancellationRequested)
                {
                    throw;
                }
            }
            // It broke before the answer: the same key asks for the same reading, never for a second one.
            return await SendAsync("POST", "/v1/reads", "application/json", body, headers, wait, cancel).ConfigureAwait(false);
        }

        internal sealed class Answer
        {
            internal int Status;
            internal byte[] Body;
        }

        internal async Task<Answer> SendAsync(
            string method,
            string path,
            string type = null,
            byte[] body = null,
            IDictionary<string, string> headers = null,
            int wait = 0,
            CancellationToken cancel = default(CancellationToken))
        {
            using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                limit.CancelAfter(Patience + TimeSpan.FromSeconds(wait));
                try
                {
                    using (var response = await OpenAsync(method, path, type, body, headers, limit.Token)
                        .ConfigureAwait(false))
                    using (limit.Token.Register(response.Dispose))
                    {
                        await RefuseAsync(response).ConfigureAwait(false);
                        return new Answer
                        {
                            Status = (int)response.StatusCode,
                            Body = await WholeAsync(response).ConfigureAwait(false),
                        };
                    }
                }
                catch (Exception broken)
                {
                    cancel.ThrowIfCancellationRequested();
                    if (!IsBroken(broken))
                    {
                        throw;
                    }
                    throw new CccdUnreachable("no answer from " + url, broken);
                }
            }
        }

        /// <summary>Sends a request; what comes back has not been looked at.</summary>
        private Task<HttpResponseMessage> OpenAsync(
            string method,
            string path,
            string type,
            byte[] body,
            IDictionary<string, string> headers,
            CancellationToken cancel)
        {
            var request = new HttpRequestMessage(new HttpMethod(method), url + path);
            if (body != null)
            {
                request.Content = new ByteArrayContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
            }
            var own = headers ?? new Dictionary<string, string> { { "Accept", "application/json" } };
            foreach (var header in own.Concat(authorize(method, url + path)))
            {
                request.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }
            return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        }

        /// <summary>Throws where the answer is no good one.</summary>
        private async Task RefuseAsync(HttpResponseMessage response)
        {
            if (response.IsSuccessStatusCode)
            {
                return;
            }
            var type = response.Content.Headers.ContentType;
            if (type != null && type.MediaType == "application/problem+json")
            {
                throw new CccdProblem(Json.Parse(await WholeAsync(response).ConfigureAwait(false)));
            }
            throw new CccdUnreachable(url + " answered " + (int)response.StatusCode + ", and not as the agent does");
        }

        private static async Task<byte[]> WholeAsync(HttpResponseMessage response)
        {
            using (var whole = new MemoryStream())
            using (var body = await response.Content.ReadAsStreamAsync().ConfigureAwait(false))
            {
                var buffer = new byte[16 * 1024];
                for (var count = 1; count > 0;)
                {
                    count = await body.ReadAsync(buffer, 0, buffer.Length).ConfigureAwait(false);
                    whole.Write(buffer, 0, count);
                    if (whole.Length > LongestAnswer)
                    {
                        throw new IOException("the answer has no end");
                    }
                }
                return whole.ToArray();
            }
        }

        /// <summary>What a broken line throws, by framework; a line that we closed ourselves breaks with the last ones.</summary>
        private static bool IsBroken(Exception error)
        {
            return error is HttpRequestException || error is IOException || error is OperationCanceledException
                || error is ObjectDisposedException || error is CccdUnreachable || error is System.Net.WebException;
        }

        private static string Path(params string[] parts)
        {
            return "/v1/" + string.Join("/", parts.Select(Uri.EscapeDataString));
        }

        /// <summary>A key nobody else has.</summary>
        private static string NewKey()
        {
            var bytes = new byte[16];
            using (var random = RandomNumberGenerator.Create())
            {
                random.GetBytes(bytes);
            }
            return string.Concat(bytes.Select(octet => octet.ToString("x2")));
        }
    }
}
