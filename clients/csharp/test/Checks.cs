using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Cccd;

/// <summary>
/// What the client promises, checked against a desk that tests/tests/clients.rs starts. Says <c>ok NAME</c> for each.
/// </summary>
public static class Checks
{
    [DataContract]
    public sealed class Desk
    {
        [DataMember(Name = "other_token")] public string OtherToken;
        [DataMember(Name = "reader")] public string Reader;
        [DataMember(Name = "empty_reader")] public string Empty;
        [DataMember(Name = "can")] public string Can;
        [DataMember(Name = "qr")] public string Qr;
        [DataMember(Name = "number")] public string Number;
        [DataMember(Name = "name")] public string Name;
    }

    private sealed class Heard : IProgress<ReadStatus>
    {
        internal readonly List<ReadStatus> All = new List<ReadStatus>();
        internal Action OnFirst;

        public void Report(ReadStatus value)
        {
            All.Add(value);
            if (OnFirst != null)
            {
                OnFirst();
            }
        }
    }

    private static readonly Desk D = ReadDesk();
    private static readonly CccdAgent Agent = new CccdAgent();

    public static void Main()
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        Check("read", Read).Wait();
        Check("events resumed", EventsResumed).Wait();
        Check("portrait", Portrait).Wait();
        Check("wrong key", WrongKey).Wait();
        Check("expectation", Expectation).Wait();
        Check("cancelled", Cancelled).Wait();
        Check("scan", Scan).Wait();
        Check("lease", LeaseKept).Wait();
        Check("nobody there", NobodyThere).Wait();
    }

    private static async Task Read()
    {
        var seen = new Heard();
        var result = await Agent.ReadAsync(Card(), seen);
        Same(D.Number, result.Number);
        Same(D.Name, result.Name);
        Same(D.Number, (await Agent.PartialAsync(result.ReadId)).Number);
        Same("completed", seen.All.Last().State);
        var percents = seen.All.Select(read => read.Percent).ToList();
        That(percents.SequenceEqual(percents.OrderBy(percent => percent)));
        var again = Agent.Read(Card().WithoutPortrait());
        Same(D.Name, again.Name);
        That(!again.HasPortrait);
    }

    private static async Task EventsResumed()
    {
        var readId = (await Agent.ReadAsync(Card())).ReadId;
        var cut = await Until(new CccdAgent(null, Environment.GetEnvironmentVariable("CCCD_CUT_URL")), readId);
        // Events are numbered from the start of the agent on, so that "from 0" is from before what is still known; after
        // that no break loses one.
        Same("events.missed", cut[0].Type);
        var ids = cut.Skip(1).Select(told => long.Parse(told.Id)).ToList();
        That(ids.Count > 12 && ids.SequenceEqual(ids.Distinct().OrderBy(id => id)));
        var ours = cut.Where(told => told.Data("read_id") == readId).Select(told => told.Type).ToList();
        Same("read.queued", ours[0]);
        That(ours.Contains("read.partial") && ours.Contains("read.progress"));
        // The same as a listener hears whose line holds.
        var straight = await Until(Agent, readId);
        That(straight.Select(told => told.RawJson).SequenceEqual(cut.Select(told => told.RawJson)));
    }

    private static async Task<List<AgentEvent>> Until(CccdAgent agent, string readId)
    {
        var events = new List<AgentEvent>();
        await agent.EventsAsync(
            told =>
            {
                events.Add(told);
                return !(told.Type == "read.completed" && told.Data("read_id") == readId);
            },
            "0");
        return events;
    }

    private static async Task Portrait()
    {
        var result = await Agent.ReadAsync(Card());
        var face = await Agent.PortraitAsync(result.ReadId);
        That(face[0] == 0xFF && face[1] == 0xD8);
        That(result.RawJson.Contains("\"bytes\":" + face.Length));
        await Agent.CancelAsync(result.ReadId);
        Same(410, (await Refused("read-expired", () => Agent.ResultAsync(result.ReadId))).Status);
    }

    private static async Task WrongKey()
    {
        var problem = await Refused("access-key-wrong", () => Agent.ReadAsync(ReadRequest.Can("111111").OnReader(D.Reader)));
        Same(422, problem.Status);
        Same("user", problem.Actor);
        Same(9, problem.TriesLeft);
        Same(32, problem.ReadId.Length);
        That(problem.Title != problem.TitleVi && problem.TitleVi.Length > 0);
        That(problem.Remedy != problem.RemedyVi && problem.RemedyVi.Length > 0);
        await Agent.ReadAsync(Card().WithoutPortrait()); // gives the tries back
    }

    private static async Task Expectation()
    {
        var request = Card().WithoutPortrait().Expect("number", D.Number).Expect("name", "Ai Khác");
        var result = await Agent.ReadAsync(request);
        Same("match", result.Expected("number"));
        Same("mismatch", result.Expected("name"));
        Same(null, result.Expected("birth"));
    }

    private static async Task Cancelled()
    {
        var stop = new CancellationTokenSource();
        var seen = new Heard { OnFirst = stop.Cancel };
        var request = ReadRequest.Can(D.Can).OnReader(D.Empty);
        try
        {
            await Agent.ReadAsync(request, seen, stop.Token);
            throw new Exception("a cancelled reading came to an end");
        }
        catch (OperationCanceledException)
        {
            Same("cancelled", (await Agent.StatusAsync(seen.All[0].ReadId)).Problem.Code);
        }
        var read = await Agent.StartAsync(request, "a key of C#'s own");
        await Agent.CancelAsync(read.ReadId);
        await Refused("cancelled", () => Agent.WaitAsync(read.ReadId));
    }

    private static async Task Scan()
    {
        var scan = (await Agent.PostScanAsync(D.Qr)).Single();
        Same("citizen", scan.Kind);
        Same(D.Number, scan.Number);
        var result = await Agent.ReadAsync(ReadRequest.Scan(scan.ScanId).OnReader(D.Reader).WithoutPortrait());
        Same(true, result.ScanAgrees);
        await Agent.DismissScanAsync(scan.ScanId);
        await Refused("scan-expired", () => Agent.ReadAsync(ReadRequest.Scan(scan.ScanId)));
    }

    private static async Task LeaseKept()
    {
        var other = new CccdAgent(D.OtherToken);
        var asked = 0;
        var beaten = new TaskCompletionSource<bool>();
        var counting = new CccdAgent(null, (method, url) =>
        {
            // The first proof is for taking the lease, the second for keeping it.
            if (Interlocked.Increment(ref asked) > 1)
            {
                beaten.TrySetResult(true);
            }
            var token = Environment.GetEnvironmentVariable("CCCD_AGENT_TOKEN");
            return new Dictionary<string, string> { { "Authorization", "Bearer " + token } };
        });
        var lease = await counting.LeaseAsync(D.Reader, 5);
        await beaten.Task;
        Same("clinic", (await Refused("reader-busy", () => other.ReadAsync(Card()))).HeldBy);
        await lease.ReleaseAsync();
        Same(D.Name, (await other.ReadAsync(Card().WithoutPortrait())).Name);
    }

    private static async Task NobodyThere()
    {
        try
        {
            await new CccdAgent(null, "http://127.0.0.1:1").AboutAsync();
            throw new Exception("somebody answers on port 1");
        }
        catch (CccdUnreachable)
        {
            // As it should be.
        }
        Same("admin", (await Refused("token-wrong", () => new CccdAgent("wrong").AboutAsync())).Actor);
    }

    private static ReadRequest Card()
    {
        return ReadRequest.Can(D.Can).OnReader(D.Reader);
    }

    private static Desk ReadDesk()
    {
        var text = Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable("CCCD_DESK"));
        return (Desk)new DataContractJsonSerializer(typeof(Desk)).ReadObject(new MemoryStream(text));
    }

    private static async Task Check(string name, Func<Task> body)
    {
        await body();
        Console.WriteLine("ok " + name);
    }

    private static async Task<CccdProblem> Refused(string code, Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (CccdProblem problem)
        {
            Same(code, problem.Code);
            return problem;
        }
        throw new Exception("not refused with " + code);
    }

    private static void Same(object wanted, object found)
    {
        if (!Equals(wanted, found))
        {
            throw new Exception("wanted " + wanted + ", found " + found);
        }
    }

    private static void That(bool so)
    {
        if (!so)
        {
            throw new Exception("not so");
        }
    }
}
