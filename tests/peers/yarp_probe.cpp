// A client and a server of YARP's own library, made with yarpidl_thrift from yarp_probe.thrift.
//
//   yarp_probe latency PORT CALLS   the time of CALLS calls of get_answer, one after the other: p50 and p99 in microseconds
//   yarp_probe parallel PORT        seven clients in slow(1000), an eighth in get_answer: its time in microseconds
//   yarp_probe thrift PORT          calls everything by the generated client, and prints the results
//   yarp_probe serve PORT           serves the generated methods, until it is killed
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <yarp/os/Bottle.h>
#include <yarp/os/Network.h>
#include <yarp/os/RpcClient.h>
#include <yarp/os/RpcServer.h>

#include "YarpProbe.h"

using Clock = std::chrono::steady_clock;

static long since(Clock::time_point begin)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
}

static void open(yarp::os::RpcClient& client, const std::string& port)
{
    if (!client.open("...") || !yarp::os::Network::connect(client.getName(), port)) {
        std::cerr << "no connection to " << port << std::endl;
        std::exit(1);
    }
}

static yarp::os::Bottle call(yarp::os::RpcClient& client, const std::string& line)
{
    yarp::os::Bottle request(line), reply;
    if (!client.write(request, reply)) {
        std::cerr << "no reply to " << line << std::endl;
        std::exit(1);
    }
    return reply;
}

static int latency(const std::string& port, int calls)
{
    yarp::os::RpcClient client;
    open(client, port);
    std::vector<long> times;
    for (int i = 0; i < calls; i++) {
        const auto begin = Clock::now();
        const auto reply = call(client, "get_answer");
        times.push_back(since(begin));
        if (reply.get(0).asInt32() != 42) {
            std::cerr << "the answer is " << reply.toString() << std::endl;
            return 1;
        }
    }
    std::sort(times.begin(), times.end());
    std::cout << times[times.size() / 2] << " " << times[times.size() * 99 / 100] << std::endl;
    return 0;
}

static int parallel(const std::string& port)
{
    std::vector<std::unique_ptr<yarp::os::RpcClient>> clients;
    for (int i = 0; i < 8; i++) {
        clients.push_back(std::make_unique<yarp::os::RpcClient>());
        open(*clients.back(), port);
    }
    std::vector<std::thread> slow;
    for (int i = 0; i < 7; i++) {
        slow.emplace_back([&clients, i] { call(*clients[i], "slow 1000"); });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto begin = Clock::now();
    call(*clients[7], "get_answer");
    std::cout << since(begin) << std::endl;
    for (auto& thread : slow) {
        thread.join();
    }
    return 0;
}

static int thrift(const std::string& port)
{
    yarp::os::Port client;
    if (!client.open("...") || !yarp::os::Network::connect(client.getName(), port)) {
        return 1;
    }
    YarpProbe probe;
    probe.yarp().attachAsClient(client);
    std::cout << "get_answer " << probe.get_answer() << std::endl;
    probe.do_it("now");
    std::cout << "do_it" << std::endl;
    probe.fire();
    std::cout << "fire" << std::endl;
    std::cout << "start " << probe.start(1, 2.0) << " " << probe.start(2, 1.0) << std::endl;
    std::cout << "vals";
    for (const double value : probe.vals()) {
        std::cout << " " << value;
    }
    std::cout << std::endl;
    Point point;
    point.x = 3;
    point.y = 4.5;
    const Point back = probe.pt(point);
    std::cout << "pt " << back.x << " " << back.y << std::endl;
    std::cout << "m";
    for (const auto& entry : probe.m()) {
        std::cout << " " << entry.first << "=" << entry.second;
    }
    std::cout << std::endl;
    std::cout << "echo " << probe.echo("Zo\u00e9 and \"others\"") << std::endl;
    client.close();
    return 0;
}

class Server : public YarpProbe
{
public:
    std::int32_t get_answer() override { return 42; }
    void do_it(const std::string&) override {}
    void fire() override {}
    bool start(const std::int32_t a, const double b) override { return a < b; }
    std::vector<double> vals() override { return {1.5, 2.5}; }
    Point pt(const Point& p) override { return p; }
    std::map<std::string, std::int32_t> m() override { return {{"a", 1}, {"b", 2}}; }
    std::string echo(const std::string& text) override { return text; }
};

static int serve(const std::string& name)
{
    Server server;
    yarp::os::RpcServer port;
    port.setReader(server);
    if (!port.open(name)) {
        return 1;
    }
    std::cout << "ready" << std::endl;
    while (true) {
        std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

int main(int count, char** arguments)
{
    const std::vector<std::string> args(arguments, arguments + count);
    if (count < 3) {
        return 2;
    }
    // A Network object would look for plug-ins, which are not there.
    yarp::os::NetworkBase::initMinimum();
    int result = 2;
    if (args[1] == "latency" && count == 4) {
        result = latency(args[2], std::stoi(args[3]));
    } else if (args[1] == "parallel") {
        result = parallel(args[2]);
    } else if (args[1] == "thrift") {
        result = thrift(args[2]);
    } else if (args[1] == "serve") {
        result = serve(args[2]);
    }
    yarp::os::NetworkBase::finiMinimum();
    return result;
}
