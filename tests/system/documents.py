"""Segment documents for the tests: a request through three services, with an error, SQL, DynamoDB and annotations."""
import itertools
import json
import os
import time

_COUNTER = itertools.count(1)


def new_trace_id(at=None):
    return f"1-{int(at if at is not None else time.time()):08x}-{os.urandom(12).hex()}"


def new_id():
    return f"{next(_COUNTER):08x}{os.urandom(4).hex()}"


def shop_trace(at, fault=False, tenant="acme"):
    """(trace id, documents): web -> DynamoDB, MySQL and `orders`, which sends its own segment."""
    trace_id, call = new_trace_id(at), new_id()
    web = {
        "name": "web.example.com", "id": new_id(), "trace_id": trace_id, "start_time": at, "end_time": at + 0.5, "origin": "AWS::EC2::Instance",
        "user": "alice", "resource_arn": "arn:aws:ec2:us-east-1:123456789012:instance/i-0abc",
        "http": {"request": {"method": "GET", "url": "https://web.example.com/cart", "user_agent": "curl/8", "client_ip": "203.0.113.7"},
                 "response": {"status": 502 if fault else 200, "content_length": 1234}},
        "aws": {"ec2": {"instance_id": "i-0abc", "availability_zone": "us-east-1a"}, "account_id": "123456789012"},
        "annotations": {"tenant": tenant, "items": 3, "first": True},
        "metadata": {"debug": {"list": [1, 2.5, None, {"deep": "x"}]}},
        "x_unknown": {"kept": True},
        "subsegments": [
            {"name": "DynamoDB", "id": new_id(), "start_time": at + 0.01, "end_time": at + 0.06, "namespace": "aws",
             "aws": {"operation": "GetItem", "region": "us-east-1", "table_name": "carts", "request_id": "R1"}},
            {"name": "shop@db.example.com", "id": new_id(), "start_time": at + 0.07, "end_time": at + 0.1, "namespace": "remote",
             "sql": {"url": "jdbc:mysql://db.example.com/shop", "database_type": "MySQL", "sanitized_query": "SELECT ?"}},
            {"name": "orders.example.com", "id": call, "start_time": at + 0.1, "end_time": at + 0.45, "namespace": "remote",
             "fault": fault, "http": {"request": {"method": "POST", "url": "http://orders/new"}, "response": {"status": 500 if fault else 201}}},
        ],
    }
    if fault:
        web["fault"] = True
    orders = {
        "name": "orders", "id": new_id(), "trace_id": trace_id, "parent_id": call, "start_time": at + 0.12, "end_time": at + 0.44,
        "http": {"request": {"method": "POST", "url": "http://orders/new"}, "response": {"status": 500 if fault else 201}},
    }
    if fault:
        orders["fault"] = True
        orders["cause"] = {"working_directory": "/srv", "exceptions": [
            {"id": new_id(), "type": "OutOfStock", "message": "nothing left", "stack": [{"path": "o.py", "line": 7, "label": "take"}]}]}
    return trace_id, [json.dumps(web), json.dumps(orders)]


def put(client, documents):
    answer = client.put_trace_segments(TraceSegmentDocuments=documents)
    assert answer["UnprocessedTraceSegments"] == [], answer


def same_json(left, right):
    """Field by field; numbers by value."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same_json(a, b) for a, b in zip(left, right))
    return type(left) in (int, float) and type(right) in (int, float) and float(left) == float(right) or left == right
