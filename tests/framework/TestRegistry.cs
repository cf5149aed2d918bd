using System;
using System.IO;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace WslImage.FrameworkTest;

/// <summary>The project's test registry (tests/registry), whose addresses are in the environment.</summary>
internal static class TestRegistry
{
    internal static string Https { get; } = Variable("HTTPS");

    internal static string CACertificatePath { get; } = Variable("CA");

    /// <summary>Puts up an image whose only layer is these bytes, and returns the layer's digest.</summary>
    internal static string AddImage(string repository, byte[] layer)
    {
        string answer = Call(
            "POST",
            "/images",
            $"{{\"repository\":\"{repository}\",\"tags\":[\"latest\"],\"auth\":{{\"scheme\":\"bearer\",\"anonymous\":true}},"
            + "\"platforms\":[{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"layers\":[{\"base64\":\""
            + $"{Convert.ToBase64String(layer)}\"}}]}}],\"index\":true,\"docker\":false}}");
        string layers = answer.Substring(answer.IndexOf("\"layers\"", StringComparison.Ordinal));
        return Regex.Match(layers, "sha256:[0-9a-f]{64}").Value;
    }

    /// <summary>A layer of which a part is sent, and then nothing more.</summary>
    internal static void Stall(string repository, string digest, int after) =>
        Call(
            "POST",
            "/routes",
            $"{{\"path\":\"/v2/{repository}/blobs/{digest}\",\"steps\":[{{\"pass\":true,\"stallAfter\":{after}}}]}}");

    private static string Variable(string name) =>
        Environment.GetEnvironmentVariable("WSLIMAGE_TEST_REGISTRY_" + name)
        ?? throw new InvalidOperationException("There is no test registry.");

    private static string Call(string method, string path, string body)
    {
        var request = (HttpWebRequest)WebRequest.Create(new Uri(Variable("CONTROL") + path));
        request.Method = method;
        request.ContentType = "application/json";
        request.Proxy = null;
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        using (Stream stream = request.GetRequestStream())
        {
            stream.Write(bytes, 0, bytes.Length);
        }
        using WebResponse response = request.GetResponse();
        using var reader = new StreamReader(response.GetResponseStream()!);
        return reader.ReadToEnd();
    }
}
